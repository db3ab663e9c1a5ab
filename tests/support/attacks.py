"""What an attack's file does, as measured: for reports and notes."""

from cnnviz.adversarial.results import Verification
from cnnviz.models.catalog import ClassProbability

CLEAN = [ClassProbability(number, f"class {number}", 0.5 / number) for number in range(1, 6)]
TOP = [ClassProbability(6, "cup", 0.8), *CLEAN[:4]]
FILE = Verification(
    levels=1, l0=9, l1=9, l2=3.0, changed=0.25, psnr=50.0, ssim=0.99, fooled=True, target=3, goal=None, margin=1.5,
    storing_levels=0, top=TOP, robust_to={}, control=False, other_networks=[],
)  # fmt: skip
