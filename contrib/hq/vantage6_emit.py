"""Events from HQ's code to its clients, through the extension vantage6_events.

An Emitter replaces HQ's flask_socketio.SocketIO. It has the same
emit(event, data, namespace, room):

    socketio = Emitter(ctx.get_database_uri())
    socketio.emit("report-ready", {"id": 7}, namespace="/tasks", room="collaboration_1")

This commits immediately, on a connection of its own. When it returns, the event is on its way, and
does not depend on the caller's session. HQ saves, which commits, and emits then; what it did in its
session after that would be rolled back at the end of the request.

To bind an event to rows, so that both are committed or neither, emit before save():

    socketio.emit("report-ready", {"id": 7}, room="collaboration_1",
                  session=DatabaseSessionManager.get_session())
    report.save()

Needs SQLAlchemy (1.4 or 2), its driver of PostgreSQL, and vantage6_events.grant_hq() for the role
of the URI.
"""
import json

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

CALL = text("SELECT vantage6_events.emit(CAST(:event AS text), CAST(:args AS json), "
            "CAST(:rooms AS text[]), CAST(:namespace AS text))")
CURES = {"3F000": "CREATE EXTENSION vantage6_events in this database",
         "42501": "SELECT vantage6_events.grant_hq('<the role of HQ>') as a superuser"}


class EmitError(Exception):
    """The event was not sent, or perhaps, if the connection was lost just then.

    sqlstate is PostgreSQL's, or None.
    """

    def __init__(self, event, reason, sqlstate=None):
        super().__init__(f"event {event!r}: {reason}")
        self.sqlstate = sqlstate


def _arguments(event, data):
    """The arguments as Socket.IO makes them: a tuple is several, None none, anything else one."""
    args = [] if data is None else list(data) if isinstance(data, tuple) else [data]
    try:
        return json.dumps(args, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise EmitError(event, f"expected data for JSON: {error}") from None


def _rooms(event, room):
    rooms = list(room) if isinstance(room, (list, tuple, set, frozenset)) else [room]
    if not rooms or not all(isinstance(name, str) for name in rooms):
        raise EmitError(event, f"expected a room or a list of rooms, found {room!r}; "
                               "all clients are in 'everyone'")
    return rooms


def _refused(event, error):
    """What PostgreSQL says, without the data: that must not get into a log."""
    diag = getattr(error.orig, "diag", None)
    sqlstate = getattr(diag, "sqlstate", None)
    hint = getattr(diag, "message_hint", None) or CURES.get(sqlstate)
    reason = getattr(diag, "message_primary", None) or str(error.orig).strip()
    return EmitError(event, f"{sqlstate or 'no answer from the database'}: {reason}"
                            + (f" ({hint})" if hint else ""), sqlstate)


class Emitter:
    """May be used by several threads, and by processes forked before its first emit()."""

    def __init__(self, uri):
        backend = make_url(uri).get_backend_name()
        if backend != "postgresql":
            raise ValueError(f"expected the URI of a PostgreSQL database, found one of {backend}")
        # Not HQ's pool: requests that hold a connection of it, and wait for a second one, could
        # wait for each other.
        self._engine = create_engine(uri, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=0,
                                     pool_pre_ping=True, hide_parameters=True)

    def emit(self, event, data=None, namespace="/tasks", room=None, session=None):
        """Send an event to the clients in a room, or in any of several; return its id in the log.

        Without a session it is committed when this returns. With one it goes out when that session
        commits, and is lost if that is rolled back. Raises EmitError. One that has a sqlstate also
        ends the session's transaction.
        """
        values = {"event": event, "args": _arguments(event, data), "rooms": _rooms(event, room),
                  "namespace": namespace}
        try:
            if session is not None:
                return session.execute(CALL, values).scalar()
            with self._engine.connect() as connection:
                return connection.execute(CALL, values).scalar()
        except DBAPIError as error:
            refused = _refused(event, error)
        raise refused

    def close(self):
        """Close its connections; the next emit() makes new ones."""
        self._engine.dispose()
