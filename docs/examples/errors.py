"""Mistakes and what fpipe says: where, what was expected, what came, and what to do."""

import fpipe as fp
from fpipe import nn, ops

task = fp.classification(
    {
        "age": [31.0, None, 52.0, 40.0],
        "site": ["arm", "leg", "arm", "head"],
        "outcome": list("abab"),
    },
    "outcome",
)
mistakes = {
    "a parameter that does not exist": lambda: nn.loss("cross_entropy", weight=[10.0, 1.0]),
    "a task operator behind a network": lambda: nn.ingress_numeric() >> nn.linear(4) >> ops.scale(),
    "a missing value at the network": lambda: fp.fit(
        ops.one_hot()
        >> nn.ingress_numeric()
        >> nn.head()
        >> nn.loss("cross_entropy")
        >> nn.optimizer("adam")
        >> nn.model(epochs=1),
        task,
        key=fp.key(0),
    ),
    "a choice that is no branch": lambda: (
        nn.linear(4) >> nn.branch(relu=nn.relu(), sigmoid=nn.sigmoid())
    ).set({"branch.selection": "tanh"}),
}
messages = {}
for mistake, make in mistakes.items():
    try:
        make()
    except fp.FpipeError as error:
        messages[mistake] = str(error)
        print(f"{mistake}\n{error}\n")
