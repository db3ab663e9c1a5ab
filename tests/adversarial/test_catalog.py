"""What methods support, known without torch."""

import pytest

from cnnviz.adversarial.catalog import METHODS, NORMS, require_support, resolve_method
from cnnviz.errors import InvalidRequest


def test_norm_and_steps_are_the_methods_own_unless_given():
    assert resolve_method("minimal") == ("linf", 40)
    assert resolve_method("minimal", "l1", 3) == ("l1", 3)
    pytest.importorskip("foolbox")
    assert resolve_method("deepfool") == ("l2", 10)
    assert resolve_method("fgsm") == ("linf", 0)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_does_not_support_is_refused(name):
    method = METHODS[name]
    for norm in set(NORMS) - set(method.norms):
        with pytest.raises(InvalidRequest, match=f"does not support norm {norm}"):
            resolve_method(name, norm)
    if not method.steps:
        with pytest.raises(InvalidRequest, match="fixed number of steps"):
            resolve_method(name, None, 5)
    if not method.targeted:
        with pytest.raises(InvalidRequest, match="takes no target class"):
            require_support(name, goal=True)
    if name != "minimal":
        with pytest.raises(InvalidRequest, match="robust_to needs method minimal"):
            require_support(name, goal=False, extras=["robust_to"])


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("cnnviz.adversarial.catalog.find_spec", lambda _: None)
    with pytest.raises(InvalidRequest, match=r"needs foolbox: pip install 'cnnviz\[attacks\]'"):
        resolve_method("ddn")
