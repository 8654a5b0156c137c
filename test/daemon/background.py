"""What goes on in a thread beside a test."""
import threading


class Background:
    """run() in a thread of its own, until over is set. failed: what it raised, in words."""

    def __init__(self):
        self.over, self.failed = threading.Event(), None
        self.thread = threading.Thread(target=self._guarded, daemon=True)

    def _guarded(self):
        try:
            self.run()
        except Exception as error:  # pylint: disable=broad-except
            self.failed = repr(error)

    def run(self):
        """What it does."""
        raise NotImplementedError

    def start(self):
        """Begin."""
        self.thread.start()

    def stop(self):
        """Have it end, and wait for that."""
        self.over.set()
        self.thread.join()
        assert not self.failed, self.failed
