"""Numbers and levels become tokens, joined along the tokens: two ways into one network."""

import fpipe as fp
from fpipe import nn, ops

task = fp.tasks.penguins()
complete = ops.impute_median() >> ops.impute_mode()

numbers = ops.select(ops.numeric()) >> nn.ingress_numeric() >> nn.tokenizer_numeric(10)
levels = ops.select(ops.categorical()) >> nn.ingress_categorical() >> nn.tokenizer_categorical(10)
graph = complete >> (numbers & levels) >> nn.merge_cat(dim=1)

tokens = fp.transform(graph, task, key=fp.key(0))
print(tokens)
