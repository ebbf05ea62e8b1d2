"""Where fpipe meets other programs."""

from fpipe.interop.tensorboard import TensorBoardSink

__all__ = ["TensorBoardSink"]
