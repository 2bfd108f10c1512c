"""LightningDataModules: faces made by code, readers of the papers' data sets, folders of images."""

from __future__ import annotations

from datamodules.base import BatchDataset, ZooDataModule
from datamodules.celeba import CelebA
from datamodules.faces import ProceduralFaces
from datamodules.folder import ImageFolder
from datamodules.landmark_crops import LandmarkCrops
from datamodules.pseudo_labels import PseudoLabels, PseudoLabelWriter
from datamodules.sfs_supervision import SfSSupervision
from datamodules.sfsnet_synthetic import SfSNetSynthetic

__all__ = [
    "BatchDataset",
    "CelebA",
    "ImageFolder",
    "LandmarkCrops",
    "ProceduralFaces",
    "PseudoLabelWriter",
    "PseudoLabels",
    "SfSNetSynthetic",
    "SfSSupervision",
    "ZooDataModule",
]
