"""LightningDataModules: faces made by code, readers of the papers' data sets, folders of images."""

from __future__ import annotations

from datamodules.aflw2000 import AFLW2000
from datamodules.aligned_faces import AlignedFaces, AlignmentJitter
from datamodules.base import BatchDataset, ZooDataModule
from datamodules.celeba import CelebA
from datamodules.cgi import CGI
from datamodules.cgi_rendered import CGIRendered
from datamodules.face_photos import FacePhotos
from datamodules.faces import ProceduralFaces
from datamodules.facewarehouse import FaceWarehouse
from datamodules.folder import ImageFolder
from datamodules.identity_pictures import IdentityPictures
from datamodules.iiw import IIW
from datamodules.illuminations import Illuminations
from datamodules.interleaved import Interleaved
from datamodules.landmark_crops import LandmarkCrops
from datamodules.micc import MICC
from datamodules.mit_intrinsic import MITIntrinsic
from datamodules.ned import NED
from datamodules.now import NoW
from datamodules.pseudo_labels import PseudoLabels, PseudoLabelWriter
from datamodules.saw import SAW
from datamodules.scenes.module import ProceduralScenes
from datamodules.sfs_supervision import SfSSupervision
from datamodules.sfsnet_synthetic import SfSNetSynthetic
from datamodules.sintel import SintelIntrinsic
from datamodules.w300lp import W300LP

__all__ = [
    "AFLW2000",
    "CGI",
    "IIW",
    "MICC",
    "NED",
    "SAW",
    "W300LP",
    "AlignedFaces",
    "AlignmentJitter",
    "BatchDataset",
    "CGIRendered",
    "CelebA",
    "FacePhotos",
    "FaceWarehouse",
    "IdentityPictures",
    "Illuminations",
    "ImageFolder",
    "Interleaved",
    "LandmarkCrops",
    "MITIntrinsic",
    "NoW",
    "ProceduralFaces",
    "ProceduralScenes",
    "PseudoLabelWriter",
    "PseudoLabels",
    "SfSNetSynthetic",
    "SfSSupervision",
    "SintelIntrinsic",
    "ZooDataModule",
]
