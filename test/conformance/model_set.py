"""Where it is not certain what the server has done, several models stand until it is.

Two things done at once may have come in either order; a session may have timed out a moment ago. A
ModelSet holds one model of each possibility. What is observed drops those that do not agree with
it. A Finding is raised when none is left.
"""
import copy


class Finding(Exception):
    """The server did what it must not."""


def _after(models, act):
    return [model for before in models for model in (before, *(act(before) or ()))]


class ModelSet:
    """The models that agree with all that was observed."""

    def __init__(self, model):
        self.models = [model]
        self.dropped = []  # why models were dropped

    @property
    def likely(self):
        """One of them."""
        return self.models[0]

    def apply(self, act):
        """The client acts: act(model), which may return models of what else may follow."""
        self.models = _after(self.models, act)

    def fork(self, one, other):
        """Either the one has happened or the other."""
        others = copy.deepcopy(self.models)
        self.models = _after(self.models, one) + _after(others, other)

    def either(self, one, other):
        """The client does two things at once."""
        others = copy.deepcopy(self.models)
        self.models = _after(_after(self.models, one), other) + _after(_after(others, other), one)

    def observe(self, ask, at):
        """Something was observed: ask(model) is None, or why it cannot have been. at: when."""
        left, reasons = [], []
        for model in self.models:
            wrong = ask(model)
            if wrong and model.may_be_gone(at):
                model = copy.deepcopy(model)
                model.expire()
                wrong = ask(model) and wrong
            if wrong:
                reasons.append(wrong)
            else:
                left.append(model)
        if not left:
            before = f"; before: {self.dropped[-3:]}" if self.dropped else ""
            raise Finding("; or ".join(dict.fromkeys(reasons)) + before)
        self.dropped += reasons
        self.models = left

    def debts(self):
        """What each model says the server owes."""
        return [model.debts() for model in self.models]

    def drop_debtors(self):
        """What is owed has not come: models that wait for it were wrong, if there are others."""
        left = [model for model in self.models if not model.debts()]
        if left:
            self.dropped += [f"waited for {model.debts()}" for model in self.models
                             if model.debts()]
            self.models = left

    def settled(self):
        """All that was sent has been processed: models that have become the same are one."""
        unlike = {}
        for model in self.models:
            model.settled()
            unlike.setdefault(repr(sorted((key, value) for key, value in vars(model).items()
                                          if key != "rules")), model)
        self.models = list(unlike.values())
