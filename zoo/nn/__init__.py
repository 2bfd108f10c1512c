"""Network parts that more than one paper can use."""

from zoo.nn.backbone import Backbone, classifier_backbone

__all__ = ["Backbone", "classifier_backbone"]
