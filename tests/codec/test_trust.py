"""Which code a file may name, and that nothing else is even imported."""

import sys

import pytest

from fpipe.catalogue import catalogue
from fpipe.codec.trust import resolve
from fpipe.core.errors import CodecError


@pytest.mark.parametrize(
    "path",
    [
        *("torch.nn:Linear", "torch.nn.modules.linear:Linear", "torch.nn.functional:relu"),
        *("sklearn.tree._classes:DecisionTreeClassifier", "sklearn.svm:SVC", "numpy:log"),
        *("sklearn.feature_selection._univariate_selection:f_classif", "math:sqrt", "numpy:mean"),
        *("scipy.special:expit", "fpipe.measure.regression:_rse"),
        *("builtins:set", "collections:OrderedDict", "torch:Tensor", "torch.optim.adam:Adam"),
    ],
)
def test_trusted(path):
    assert resolve(path, catalogue()) is not None


@pytest.mark.parametrize(
    "path",
    [
        *("os:system", "posix:system", "subprocess:Popen", "builtins:eval", "builtins:exec"),
        *("builtins:getattr", "builtins:__import__", "pickle:loads", "shutil:rmtree", "sys:exit"),
        *("torch.nn:functional.torch.hub.load", "torch.nn.functional:torch.load", "torch:load"),
        *("torch.nn.functional:importlib", "torch.nn.modules.module:warnings.sys.exit"),
        *("torch.hub:load", "torch.nn.functional:handle_torch_function", "numpy:load"),
        *("numpy:save", "numpy:fromfile", "numpy:memmap", "numpy.lib.npyio:load"),
        *("sklearn.datasets:fetch_openml", "sklearn.datasets._base:load_files"),
        *("sklearn.utils:os.system", "sklearn.datasets._svmlight_format_io:dump_svmlight_file"),
        *("fpipe.io.files:write_atomic", "fpipe.files:save", "fpipe.tasks.files:Path.unlink"),
        *("fpipe.files:Path.unlink", "fpipe.core.code:importlib.import_module"),
        *(
            "math",
            ":sqrt",
            "math:",
            "math:sqrt:x",
            "math:sqrt()",
            "__main__:x",
            "math:__main__",
            "",
        ),
        *("torch.nn:Linear.forward.__globals__", "scipy.io:loadmat", "functools:partial"),
        *("fpipe.core.code:Ref", "fpipe.ops.estimator:thaw", "fpipe.checkpoints.folder:write"),
        *("fpipe.checkpoints.sink:CheckpointSink", "fpipe.codec.trust:_imported"),
        *("fpipe.interop.tensorboard:TensorBoardSink", "fpipe.core.code:Opaque"),
        *("sklearn.tree:export_graphviz", "sklearn.utils.parallel:Parallel"),
        *("scipy.io._netcdf:netcdf_file", "scipy.io:FortranFile", "sklearn.utils:Bunch.clear"),
        *("copyreg:pickle", "collections:namedtuple", "polars:read_csv", "math: sqrt", "a b:c"),
    ],
)
def test_not_trusted(path):
    with pytest.raises(CodecError) as caught:
        resolve(path, catalogue())
    assert caught.value.expected
    assert caught.value.fix


def test_torchvision_builders_are_trusted():
    try:
        import torchvision.models
    except RuntimeError:
        pytest.skip("torchvision does not fit the build of torch")
    found = resolve("torchvision.models.resnet:resnet18", catalogue())
    assert found is torchvision.models.resnet18
    with pytest.raises(CodecError, match="not allowed"):
        resolve("torchvision.models._api:load_state_dict_from_url", catalogue())


def test_what_is_not_allowed_is_not_imported():
    name = "xmlrpc.server"
    assert name not in sys.modules
    with pytest.raises(CodecError, match="not allowed"):
        resolve(f"{name}:SimpleXMLRPCServer", catalogue())
    assert name not in sys.modules


def test_allowing_a_package_allows_its_own_code_only(tmp_path, monkeypatch):
    (tmp_path / "mypkg_trust.py").write_text(
        "import os\nfrom os import system\ndef own(x): return x\nclass Own: pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    known = catalogue(allow=["mypkg_trust"])
    assert resolve("mypkg_trust:own", known)(3) == 3
    for path in ("mypkg_trust:system", "mypkg_trust:os.system", "mypkg_trust:os.path.join"):
        with pytest.raises(CodecError, match="not allowed"):
            resolve(path, known)
    with pytest.raises(CodecError) as caught:
        resolve("mypkg_trust:own", catalogue())
    assert caught.value.fix.endswith('fp.load(path, allow=["mypkg_trust"])')


def test_what_is_not_installed_says_so():
    with pytest.raises(CodecError, match="cannot be imported"):
        resolve("torch.nn:NoSuchLayer", catalogue())
    with pytest.raises(CodecError) as caught:
        resolve("nosuchpkg.a:b", catalogue(allow="nosuchpkg"))
    assert caught.value.fix.startswith("install nosuchpkg")
