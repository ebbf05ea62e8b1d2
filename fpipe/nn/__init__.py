"""The network vocabulary: ingress, layers, merges, blocks, head, loss, optimizer, model."""

from fpipe.core.face import offering
from fpipe.graph.branch import branch as branch
from fpipe.net.layer import Keep as Keep
from fpipe.net.layer import Normal as Normal
from fpipe.net.layer import Uniform as Uniform
from fpipe.net.network import Input as Input
from fpipe.nn.blocks import block as block
from fpipe.nn.blocks import residual as residual
from fpipe.nn.callback_op import callbacks as callbacks
from fpipe.nn.configure import loss as loss
from fpipe.nn.configure import optimizer as optimizer
from fpipe.nn.decaying import no_decay as no_decay
from fpipe.nn.ingress import ingress_categorical as ingress_categorical
from fpipe.nn.ingress import ingress_numeric as ingress_numeric
from fpipe.nn.ingress import ingress_tensor as ingress_tensor
from fpipe.nn.layers.activations import celu as celu
from fpipe.nn.layers.activations import elu as elu
from fpipe.nn.layers.activations import gelu as gelu
from fpipe.nn.layers.activations import hardshrink as hardshrink
from fpipe.nn.layers.activations import hardsigmoid as hardsigmoid
from fpipe.nn.layers.activations import hardswish as hardswish
from fpipe.nn.layers.activations import hardtanh as hardtanh
from fpipe.nn.layers.activations import identity as identity
from fpipe.nn.layers.activations import leaky_relu as leaky_relu
from fpipe.nn.layers.activations import log_sigmoid as log_sigmoid
from fpipe.nn.layers.activations import mish as mish
from fpipe.nn.layers.activations import relu as relu
from fpipe.nn.layers.activations import relu6 as relu6
from fpipe.nn.layers.activations import selu as selu
from fpipe.nn.layers.activations import sigmoid as sigmoid
from fpipe.nn.layers.activations import silu as silu
from fpipe.nn.layers.activations import softplus as softplus
from fpipe.nn.layers.activations import softshrink as softshrink
from fpipe.nn.layers.activations import softsign as softsign
from fpipe.nn.layers.activations import tanh as tanh
from fpipe.nn.layers.activations import tanhshrink as tanhshrink
from fpipe.nn.layers.activations import threshold as threshold
from fpipe.nn.layers.adaptive_pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from fpipe.nn.layers.adaptive_pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
from fpipe.nn.layers.adaptive_pooling import adaptive_avg_pool3d as adaptive_avg_pool3d
from fpipe.nn.layers.adaptive_pooling import adaptive_max_pool1d as adaptive_max_pool1d
from fpipe.nn.layers.adaptive_pooling import adaptive_max_pool2d as adaptive_max_pool2d
from fpipe.nn.layers.adaptive_pooling import adaptive_max_pool3d as adaptive_max_pool3d
from fpipe.nn.layers.affine import head as head
from fpipe.nn.layers.affine import linear as linear
from fpipe.nn.layers.attention import multihead_attention as multihead_attention
from fpipe.nn.layers.conv_transpose import conv_transpose1d as conv_transpose1d
from fpipe.nn.layers.conv_transpose import conv_transpose2d as conv_transpose2d
from fpipe.nn.layers.conv_transpose import conv_transpose3d as conv_transpose3d
from fpipe.nn.layers.convolution import conv1d as conv1d
from fpipe.nn.layers.convolution import conv2d as conv2d
from fpipe.nn.layers.convolution import conv3d as conv3d
from fpipe.nn.layers.foreign import module as module
from fpipe.nn.layers.ft_transformer import ft_transformer_block as ft_transformer_block
from fpipe.nn.layers.functions import fn as fn
from fpipe.nn.layers.gating import geglu as geglu
from fpipe.nn.layers.gating import glu as glu
from fpipe.nn.layers.gating import prelu as prelu
from fpipe.nn.layers.gating import reglu as reglu
from fpipe.nn.layers.gating import rrelu as rrelu
from fpipe.nn.layers.gating import softmax as softmax
from fpipe.nn.layers.merging import merge_cat as merge_cat
from fpipe.nn.layers.merging import merge_prod as merge_prod
from fpipe.nn.layers.merging import merge_sum as merge_sum
from fpipe.nn.layers.normalization import batch_norm1d as batch_norm1d
from fpipe.nn.layers.normalization import batch_norm2d as batch_norm2d
from fpipe.nn.layers.normalization import batch_norm3d as batch_norm3d
from fpipe.nn.layers.normalization import group_norm as group_norm
from fpipe.nn.layers.normalization import layer_norm as layer_norm
from fpipe.nn.layers.pooling import avg_pool1d as avg_pool1d
from fpipe.nn.layers.pooling import avg_pool2d as avg_pool2d
from fpipe.nn.layers.pooling import avg_pool3d as avg_pool3d
from fpipe.nn.layers.pooling import max_pool1d as max_pool1d
from fpipe.nn.layers.pooling import max_pool2d as max_pool2d
from fpipe.nn.layers.pooling import max_pool3d as max_pool3d
from fpipe.nn.layers.regularization import dropout as dropout
from fpipe.nn.layers.reshaping import flatten as flatten
from fpipe.nn.layers.reshaping import reshape as reshape
from fpipe.nn.layers.reshaping import squeeze as squeeze
from fpipe.nn.layers.reshaping import unsqueeze as unsqueeze
from fpipe.nn.layers.taking import take as take
from fpipe.nn.layers.tokens import cls_token as cls_token
from fpipe.nn.layers.tokens import embedding as embedding
from fpipe.nn.layers.tokens import tokenizer_categorical as tokenizer_categorical
from fpipe.nn.layers.tokens import tokenizer_numeric as tokenizer_numeric
from fpipe.nn.layers.transformer import transformer_encoder_layer as transformer_encoder_layer
from fpipe.nn.layers.upsampling import upsample as upsample
from fpipe.nn.layers.vision import vision as vision
from fpipe.nn.mixing import cutmix as cutmix
from fpipe.nn.mixing import mixup as mixup
from fpipe.nn.own import operator as operator
from fpipe.nn.standalone import network as network
from fpipe.nn.training import model as model

__all__ = [
    "Input",
    "Keep",
    "Normal",
    "Uniform",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm1d",
    "batch_norm2d",
    "batch_norm3d",
    "block",
    "branch",
    "callbacks",
    "celu",
    "cls_token",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cutmix",
    "dropout",
    "elu",
    "embedding",
    "flatten",
    "fn",
    "ft_transformer_block",
    "geglu",
    "gelu",
    "glu",
    "group_norm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "head",
    "identity",
    "ingress_categorical",
    "ingress_numeric",
    "ingress_tensor",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "loss",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "merge_cat",
    "merge_prod",
    "merge_sum",
    "mish",
    "mixup",
    "model",
    "module",
    "multihead_attention",
    "network",
    "no_decay",
    "operator",
    "optimizer",
    "prelu",
    "reglu",
    "relu",
    "relu6",
    "reshape",
    "residual",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softshrink",
    "softsign",
    "squeeze",
    "take",
    "tanh",
    "tanhshrink",
    "threshold",
    "tokenizer_categorical",
    "tokenizer_numeric",
    "transformer_encoder_layer",
    "unsqueeze",
    "upsample",
    "vision",
]

__dir__ = offering(globals())
