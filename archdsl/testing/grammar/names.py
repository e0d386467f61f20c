"""Names that a spec may choose, and those that something else has a use for already."""

from __future__ import annotations

import builtins
import keyword
from random import Random

from archdsl.ops import OPERATIONS, WORDS

LANGUAGE = frozenset(
    "arch block use extends as input let require warn expect default variants set return repeat in "
    "stages if else and or not true false none".split()
)
"""Words of the language itself: no name."""

PLAIN = tuple(
    (
        "a b stem body head left right mid skip main unit mix wide low high cell gate peak root "
        "tail leaf branch path1 path2 early late deep thin core edge"
    ).split()
)

MODULE = tuple(
    (
        "forward training parameters modules children register_buffer train eval requires_grad_ "
        "state_dict half double T_destination dump_patches apply named_modules get_parameter "
        "extra_repr compile type to zero_grad share_memory _modules _parameters _buffers "
        "_forward_hooks _apply _version call_super_init __class__ __dict__ __init__ __call__ "
        "__doc__ __module__ __slots__ add_module bfloat16 float load_state_dict buffers cuda cpu "
        "xpu ipu"
    ).split()
)
"""Attributes of `torch.nn.Module`."""

WRITTEN = tuple(
    (
        "self torch nn functional Tensor Sequential ModuleList Module F math x y out outs layer "
        "layers index total rep stage1 stage2 sizes n s c k h w d i input inputs output batch "
        "weight bias _ __ _x x_ out_1 out_0 a_1 a_2 body_1 conv_1 relu_2 rate Net net probe "
        "annotations Conv2d DropPath padding mode groups eps channels in_channels out_channels "
        "items parts rows block0 count"
    ).split()
)
"""Names that a generated module, or its text, may need itself."""

HOSTILE = tuple(
    dict.fromkeys(
        name
        for name in (
            *OPERATIONS,
            *sorted(WORDS),
            *keyword.kwlist,
            *keyword.softkwlist,
            *MODULE,
            *WRITTEN,
            *(name for name in dir(builtins) if name.isidentifier()),
        )
        if name not in LANGUAGE
    )
)
"""What a line, a parameter, a label, a loop, a block or an arch may be called all the same."""


class Chooser:
    """Gives each name once in a body; `share` is the part that is hostile."""

    def __init__(self, random: Random, share: float, hostile: tuple[str, ...] = HOSTILE) -> None:
        self.random = random
        self.share = share
        self.hostile = hostile

    def name(self, taken: set[str]) -> str:
        """One that is free, taken from now on."""
        random = self.random
        for _ in range(40):
            found = random.choice(self.hostile if random.random() < self.share else PLAIN)
            if found not in taken:
                break
        else:
            found = f"v{len(taken)}"
        taken.add(found)
        return found
