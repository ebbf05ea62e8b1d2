"""Ready graphs and learners that end in a prediction."""

from fpipe.core.face import offering
from fpipe.learners.architectures import alexnet as alexnet
from fpipe.learners.architectures import convnext_base as convnext_base
from fpipe.learners.architectures import convnext_small as convnext_small
from fpipe.learners.architectures import convnext_tiny as convnext_tiny
from fpipe.learners.architectures import densenet121 as densenet121
from fpipe.learners.architectures import efficientnet_b0 as efficientnet_b0
from fpipe.learners.architectures import efficientnet_b1 as efficientnet_b1
from fpipe.learners.architectures import efficientnet_b2 as efficientnet_b2
from fpipe.learners.architectures import efficientnet_b3 as efficientnet_b3
from fpipe.learners.architectures import efficientnet_b4 as efficientnet_b4
from fpipe.learners.architectures import efficientnet_b5 as efficientnet_b5
from fpipe.learners.architectures import efficientnet_b6 as efficientnet_b6
from fpipe.learners.architectures import efficientnet_b7 as efficientnet_b7
from fpipe.learners.architectures import efficientnet_v2_l as efficientnet_v2_l
from fpipe.learners.architectures import efficientnet_v2_m as efficientnet_v2_m
from fpipe.learners.architectures import efficientnet_v2_s as efficientnet_v2_s
from fpipe.learners.architectures import inception_v3 as inception_v3
from fpipe.learners.architectures import maxvit_t as maxvit_t
from fpipe.learners.architectures import mobilenet_v2 as mobilenet_v2
from fpipe.learners.architectures import mobilenet_v3_large as mobilenet_v3_large
from fpipe.learners.architectures import mobilenet_v3_small as mobilenet_v3_small
from fpipe.learners.architectures import resnet18 as resnet18
from fpipe.learners.architectures import resnet34 as resnet34
from fpipe.learners.architectures import resnet50 as resnet50
from fpipe.learners.architectures import resnet101 as resnet101
from fpipe.learners.architectures import resnet152 as resnet152
from fpipe.learners.architectures import swin_t as swin_t
from fpipe.learners.architectures import vgg11 as vgg11
from fpipe.learners.architectures import vgg11_bn as vgg11_bn
from fpipe.learners.architectures import vgg13 as vgg13
from fpipe.learners.architectures import vgg13_bn as vgg13_bn
from fpipe.learners.architectures import vgg16 as vgg16
from fpipe.learners.architectures import vgg16_bn as vgg16_bn
from fpipe.learners.architectures import vgg19 as vgg19
from fpipe.learners.architectures import vgg19_bn as vgg19_bn
from fpipe.learners.architectures import vit_b_16 as vit_b_16
from fpipe.learners.baseline import featureless as featureless
from fpipe.learners.bridge import sklearn as sklearn
from fpipe.learners.image_network import vision as vision
from fpipe.learners.own import module as module
from fpipe.learners.perceptron import mlp as mlp
from fpipe.learners.vision_preprocessing import preprocessing as preprocessing

__dir__ = offering(globals())
