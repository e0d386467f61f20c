"""Names reserved by Python, torch and generated modules.

A name of a spec becomes a submodule, a variable or a class, each with names of its own that it must
not have. Where it has one, underscores or a number are added to it: see the function for each.
The tables are written out, so that a name does not depend on the versions of Python and torch;
tests compare them with both, and with what the generated code mentions.
"""

from __future__ import annotations

from collections.abc import Container

KEYWORDS = frozenset(
    """
    False None True and as assert async await break class continue def del elif else except finally
    for from global if import in is lambda nonlocal not or pass raise return try while with yield
    """.split()
)

BUILTINS = frozenset(
    "bool dict enumerate float int isinstance len list print range str super tuple type zip".split()
)
"""Python built-ins used in generated code, besides `FUNCTIONS`."""

FUNCTIONS = frozenset("abs ceil divisible floor log max min round sqrt".split())
"""Functions used in arithmetic by constructors and the language."""

GLOBALS = frozenset("nn torch Tensor self divisible same_pad _nearest _nearest_scaled".split())
"""What a generated module imports, and the functions that it may carry itself."""

METHODS = frozenset({"forward", "forward_features", "reset_parameters"})
"""What classes of a generated module define."""

ATTRIBUTES = frozenset(
    """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda
    double dump_patches eval extra_repr float get_buffer get_extra_state get_parameter
    get_submodule half ipu load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters parameters register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_
    set_extra_state set_submodule share_memory state_dict to to_empty train training type xpu
    zero_grad append extend insert pop
    self super nn torch Tensor F int bool list tuple str range enumerate zip len isinstance print
    """.split()
)
"""What `nn.Module`, `nn.Sequential` and `nn.ModuleList` have, but for names that begin with `_`;
and names that are legal there, but confuse readers."""

SUBMODULES = KEYWORDS | METHODS | ATTRIBUTES

VARIABLES = KEYWORDS | BUILTINS | GLOBALS

MISREAD = frozenset("l true false none all any filter input map sum".split())
"""Names of variables that readers would take in another sense."""

CLASSES = KEYWORDS | BUILTINS | FUNCTIONS | GLOBALS


def submodule_name(name: str) -> str:
    """The name of a submodule: one that is free in `nn.Module`, and begins with no `_`.

    `type` is `type_`, and `_x` is `x_`.
    """
    if name.startswith("_"):
        name = name.strip("_") + "_"
        name = name if name.isidentifier() else f"_{name}"
    while name in SUBMODULES:
        name += "_"
    return name


def variable_name(name: str) -> str:
    """The name of a local variable: in small letters, as linters want it.

    Within a class Python changes names that begin with two underscores.
    """
    name = name.lower()
    if name.startswith("__") or name == "_":
        name = f"{name.strip('_')}_"
        name = name if name.isidentifier() and name != "_" else f"x{name}"
    return f"{name}_" if name in VARIABLES or name in MISREAD else name


def is_class(name: str) -> bool:
    """True if a class of a generated module can have a name."""
    named = name.isascii() and name.isidentifier() and not name.startswith("__")
    return named and name not in CLASSES


def class_name(name: str, kind: str) -> str:
    """The class of a block or an arch without `as`: `squeeze_excite` is `SqueezeExcite`."""
    camel = camel_case(name)
    return free_class_name(camel if camel.isidentifier() else f"{kind.capitalize()}{camel}", set())


def free_class_name(name: str, taken: Container[str]) -> str:
    """A name for a class: the one that is wanted, or, where that is taken, one with a number."""
    if name.startswith("__"):
        name = name.strip("_")
        name = name if name.isidentifier() else f"Block{name}"
    free, number = name, 1
    while free in taken or not is_class(free):
        number += 1
        free = f"{name}{number}"
    return free


def camel_case(name: str) -> str:
    """The words of a name, each with a capital."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
