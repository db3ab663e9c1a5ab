"""The public names with their types; see ``__init__.py``."""

from cnnviz.adversarial.file_attack import AttackSettings as AttackSettings
from cnnviz.adversarial.file_attack import PhotoAttack as PhotoAttack
from cnnviz.adversarial.file_attack import attack_photo as attack_photo
from cnnviz.adversarial.patch import PatchResult as PatchResult
from cnnviz.adversarial.patch import patch as patch
from cnnviz.adversarial.robustness import RobustnessCurve as RobustnessCurve
from cnnviz.adversarial.robustness import robustness as robustness
from cnnviz.adversarial.universal import UniversalPerturbation as UniversalPerturbation
from cnnviz.adversarial.universal import universal as universal
from cnnviz.attribution.backprop import Attribution as Attribution
from cnnviz.attribution.backprop import attribute as attribute
from cnnviz.attribution.class_score import MethodSettings as MethodSettings
from cnnviz.attribution.evaluation import Evaluation as Evaluation
from cnnviz.attribution.evaluation import EvaluationSettings as EvaluationSettings
from cnnviz.attribution.evaluation import evaluate as evaluate
from cnnviz.attribution.occlusion import Occlusion as Occlusion
from cnnviz.attribution.occlusion import occlusion as occlusion
from cnnviz.control import Control as Control
from cnnviz.features.activations import Activations as Activations
from cnnviz.features.activations import activations as activations
from cnnviz.features.deconvnet import Projection as Projection
from cnnviz.features.deconvnet import deconvnet as deconvnet
from cnnviz.features.kernels import Kernels as Kernels
from cnnviz.features.kernels import kernels as kernels
from cnnviz.features.top_images import TopImages as TopImages
from cnnviz.features.top_images import top_images as top_images
from cnnviz.io.photo import read_photo as read_photo
from cnnviz.models.loader import load_network as load_network
from cnnviz.models.network import Network as Network
from cnnviz.models.preprocess import Geometry as Geometry
from cnnviz.models.preprocess import fit as fit
from cnnviz.report.figure import figure as figure
from cnnviz.synthesis.dream import DreamResult as DreamResult
from cnnviz.synthesis.dream import DreamSettings as DreamSettings
from cnnviz.synthesis.dream import dream as dream
from cnnviz.synthesis.dream_clip import dream_clip as dream_clip
from cnnviz.synthesis.inceptionism import ClassSettings as ClassSettings
from cnnviz.synthesis.inceptionism import ClassVisualization as ClassVisualization
from cnnviz.synthesis.inceptionism import inceptionism as inceptionism
from cnnviz.synthesis.spec import ObjectiveSpec as ObjectiveSpec
from cnnviz.synthesis.visualize import Visualization as Visualization
from cnnviz.synthesis.visualize import VisualizeSettings as VisualizeSettings
from cnnviz.synthesis.visualize import visualize as visualize

__version__: str
