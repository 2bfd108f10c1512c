"""Network parts that more than one paper can use."""

from zoo.nn.backbone import Backbone

__all__ = ["Backbone"]
