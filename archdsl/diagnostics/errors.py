"""Every kind of mistake, with its code, its sentence and its help.

A0xxx files and text, A1xxx names and calls, A2xxx numbers and values, A3xxx shapes,
A4xxx what the spec itself demands, A5xxx limits, A6xxx weights and backends, A7xxx warnings,
A8xxx what was measured.
"""

from __future__ import annotations

from archdsl.diagnostics.diagnostic import Diagnostic

__all__ = ["Diagnostic"]


# A0: files and text


class UnexpectedText(Diagnostic):
    code = "A0001"
    message = "expected {expected}{after}, but {found}"
    help = "{hint}"
    where: str


class UnknownCharacter(Diagnostic):
    code = "A0002"
    message = "`{character}` is no part of the language"
    help = "{hint}"
    where: str


class NeverClosed(Diagnostic):
    code = "A0003"
    message = "this `{opener}` is never closed"
    help = "{hint}"
    closer: str
    noticed: int


class NothingToClose(Diagnostic):
    code = "A0004"
    message = "`{closer}` closes nothing"
    instead: str = " "


class TextNeverClosed(Diagnostic):
    code = "A0005"
    message = "this text has no closing quote"
    help = "end it on its line with a quote; write \\n for a line's end in it"


class WrongNumber(Diagnostic):
    code = "A0006"
    message = "`{text}` is not a number"
    help = "{hint}"
    hint: str = "names start with a letter; numbers are written 12, 0.25 or 1e-3"


class SecondHeader(Diagnostic):
    code = "A0007"
    message = "`variants` has one header, and this is a second"
    help = "give the variant another name than `name`"


class RowBeforeHeader(Diagnostic):
    code = "A0008"
    message = "this row stands before the header"
    help = "begin the table with a line `name ...` that names the columns"


class NotAColumn(Diagnostic):
    code = "A0019"
    message = "a column is named by a parameter, not by `{text}`"
    help = "columns are parameters of the arch, or `params`, `macs` or `as`"


class ReservedWord(Diagnostic):
    code = "A0018"
    message = "`{word}` is a word of the language; choose another name"


class UnknownKind(Diagnostic):
    code = "A0009"
    message = "a parameter can be declared as `tensor`, not as `{kind}`"
    help = "what holds a number, a word or an operation has no type: write its name alone"


class NotUtf8(Diagnostic):
    code = "A0010"
    message = "this file is not UTF-8: there is the byte {byte}"
    help = "save it as UTF-8"


class NoSuchFile(Diagnostic):
    code = "A0011"
    message = "cannot read {path}: {reason}"


class FileTooLarge(Diagnostic):
    code = "A0012"
    message = "{path}, or all that it uses, is larger than a spec may be ({limit} bytes)"
    help = "`--limit source-bytes=N` allows more"


class NotASpecPath(Diagnostic):
    code = "A0013"
    message = '`use "{path}"`: a used file is named by a relative path that ends in .arch'


class OutsideTheTree(Diagnostic):
    code = "A0014"
    message = '`use "{path}"` leads out of the folder of the spec'
    help = "a spec may use files in its own folder and below it, and the shipped specs"


class FilesUseEachOther(Diagnostic):
    code = "A0015"
    message = "files use each other in a circle: {chain}"


class CannotWrite(Diagnostic):
    code = "A0016"
    message = "cannot write {path}: {reason}"


class NoSuchSpec(Diagnostic):
    code = "A0017"
    message = "there is no file {name}, and no shipped spec of that name"
    help = "{hint}"


class NoSpecs(Diagnostic):
    code = "A0020"
    message = "there is no .arch file in {path}"
    help = "name a folder that holds specs, itself or in folders below it"


# A5: limits


class LineTooLong(Diagnostic):
    code = "A5001"
    message = "a statement of more than {limit} words and signs"
    help = "give parts of it names of their own; `--limit line-tokens=N` allows more"


class TooManyWords(Diagnostic):
    fatal = True
    code = "A5012"
    message = "a file of more than {limit} words and signs"
    help = "a block, a table or a `repeat` says it shorter; `--limit file-tokens=N` allows more"


class TooManyOperators(Diagnostic):
    code = "A5011"
    message = "a statement of more than {limit} operators"
    help = "give parts of it names of their own; `--limit line-operators=N` allows more"


class NestedTooDeep(Diagnostic):
    code = "A5002"
    message = "brackets nested more than {limit} deep"
    help = "`--limit nesting=N` allows more"


class NumberTooLarge(Diagnostic):
    code = "A5003"
    message = "no number may be larger than {limit}"
    help = "`--limit number=N` allows more"


class TooManyFiles(Diagnostic):
    code = "A5004"
    message = "this uses more than {limit} files"
    help = "`--limit files=N` allows more"


class ExtendsTooDeep(Diagnostic):
    code = "A5005"
    message = "definitions extend each other more than {limit} deep"
    help = "`--limit extensions=N` allows more"


class TooMuchWork(Diagnostic):
    fatal = True
    code = "A5006"
    message = "this takes more than {limit} steps to work out"
    help = "`--limit work=N` allows more"


class TooManyItems(Diagnostic):
    code = "A5010"
    message = "{count} items, with those inside of them, are more than a list may have ({limit})"
    help = "`--limit items=N` allows more"


class TooManyRepeats(Diagnostic):
    code = "A5007"
    message = "{count} repeats are more than a network may have ({limit})"
    help = "`--limit repeats=N` allows more"


class TooManyOperations(Diagnostic):
    fatal = True
    code = "A5008"
    message = "this network has more than {limit} operations"
    help = "`--limit operations=N` allows more"


class ExpandsTooDeep(Diagnostic):
    fatal = True
    code = "A5009"
    message = "blocks within blocks more than {limit} deep"
    help = "`--limit expansion=N` allows more"


class TooManyParameters(Diagnostic):
    code = "A5013"
    message = "{count} parameters are more than are written to a file ({limit})"
    help = "`--limit parameters=N` allows more, `--no-weights` needs none"


class TooManyConstants(Diagnostic):
    code = "A5015"
    message = "`{operation}` would take {count} numbers beside the weights; a file may have {limit}"
    help = "a smaller size or kernel takes fewer; `--limit constants=N` allows more"


class TooManyTensors(Diagnostic):
    code = "A5014"
    message = "{path} has {count} tensors, and may have no more than {limit}"
    help = "`--limit tensors=N` allows more"


# A2: numbers and values


class WrongValue(Diagnostic):
    code = "A2001"
    message = "expected {expected}{subject}, not {value}"
    help = "{hint}"
    subject: str = ""
    hint: str = ""


class NotWhole(Diagnostic):
    code = "A2002"
    message = "expected {expected}{subject}, and {value} is not whole"
    help = "round it: round(...), floor(...), ceil(...) or divisible(..., 8)"
    subject: str = ""


class WrongAxes(Diagnostic):
    code = "A2003"
    message = "{value} has {count} numbers, and {axes}"
    help = "write one number for all axes, or one for each"


class TooLarge(Diagnostic):
    code = "A2004"
    message = "{value} is larger than anything a network can hold ({limit})"


class ExactlyOne(Diagnostic):
    code = "A2021"
    message = "`{callee}` takes exactly one of {options}; given: {given}"
    help = "write one of them"


class NoEffect(Diagnostic):
    code = "A2022"
    message = "`{parameter}` of `{callee}` has no effect with {other}"
    help = "leave `{parameter}` out"


class CannotKeep(Diagnostic):
    code = "A2023"
    message = (
        "p=keep adds d * (k - 1) / 2 on each side, and {dilation} * ({kernel} - 1) / 2 = {half}"
        " is not whole"
    )
    help = "use an odd kernel, p=same (one more after than before), p=valid or a number"


class NoSuchNumber(Diagnostic):
    code = "A2005"
    message = "{text} is no number"
    help = "a condition can keep it out: a / b if b != 0 else 0"


class WrongOperands(Diagnostic):
    code = "A2006"
    message = "`{operator}` does not join {kinds}"


class WrongArguments(Diagnostic):
    code = "A2007"
    message = "`{function}` takes {expected}, not {given}"


class NotACondition(Diagnostic):
    code = "A2008"
    message = "a condition is true or false, and this is {what}"
    help = "compare it: ... > 0, or ... != none"


class NotAList(Diagnostic):
    code = "A2009"
    message = "only a list has items, and this is {what}"
    help = "{hint}"


class NoSuchItem(Diagnostic):
    code = "A2010"
    message = "there is no item {index} in a list of {count}"
    help = "items are counted from 0 to {last}; [-1] is the last"


class TextAsValue(Diagnostic):
    code = "A2011"
    message = "a text is no value"
    help = "words such as same or bilinear are written without quotes"


class OpenChoice(Diagnostic):
    code = "A2012"
    message = "a choice that is left open"
    help = "settle it before building: write one of its values"


class TensorInLet(Diagnostic):
    code = "A2013"
    message = "`let` names numbers and operations, and `{name}` would be a tensor"
    help = "write it without let: {name} = ..."


class NumberInLine(Diagnostic):
    code = "A2014"
    message = "a line names tensors, and `{name}` would be {what}"
    help = "write it with let: let {name} = ..."


class WrongCount(Diagnostic):
    code = "A2015"
    message = "{targets} names for {count} values"
    help = "give each value a name, or one name to the list of all"


# A1: names and calls


class MissingArgument(Diagnostic):
    code = "A1001"
    message = "`{callee}` needs `{parameter}` ({doc})"
    help = "{hint}"


class UnknownName(Diagnostic):
    code = "A1002"
    message = "there is no {kind} `{name}`"
    help = "{hint}"


class UnknownParameter(Diagnostic):
    code = "A1003"
    message = "`{callee}` has no parameter `{parameter}`"
    help = "{hint}"


class UnknownField(Diagnostic):
    code = "A1004"
    message = "a tensor has no `{name}`"
    help = "{hint}"


class DefinedTwice(Diagnostic):
    code = "A1005"
    message = "`{name}` is defined twice"
    help = "give one of them another name"


class ArgumentTwice(Diagnostic):
    code = "A1006"
    message = "`{parameter}` is given twice"
    help = "take one of them away"


class ColumnTwice(Diagnostic):
    code = "A1007"
    message = "the column `{name}` stands here twice"
    help = "take one of them away"


class TooManyArguments(Diagnostic):
    code = "A1008"
    message = "`{callee}` takes {count} beside its tensors, and this is one more"
    help = "{hint}"


class TooManyCells(Diagnostic):
    code = "A1009"
    message = "this row has {cells} cells but the header has {columns}"
    help = "name its column in the header or in the cell (k=3), or take it away"


class NoHeader(Diagnostic):
    code = "A1038"
    message = "this table has no header that names the columns of its cells"
    help = "{hint}"


class NotAnOperation(Diagnostic):
    code = "A2016"
    message = "`{name}` is {what}, not an operation"
    help = "a parameter that is called holds an operation: {name}=relu"


class NoRowHas(Diagnostic):
    code = "A1011"
    message = "no row of this table has a parameter `{parameter}`"
    help = "{hint}"


class SetByName(Diagnostic):
    code = "A1012"
    message = "arguments here are given by name"
    help = "write name=value"


class NamedForFunction(Diagnostic):
    code = "A1013"
    message = "`{function}` takes its arguments by place, not by name"
    help = "write the value alone"


class NoValue(Diagnostic):
    code = "A1014"
    message = "the parameter `{parameter}` has no value"
    help = "give it one: --set {parameter}=..."


class NoVariant(Diagnostic):
    code = "A1015"
    message = "`{name}` has no variant `{variant}`"
    help = "{hint}"


class NoArch(Diagnostic):
    code = "A1016"
    message = "{path} has no arch{wanted}"
    help = "{hint}"


class UnknownPart(Diagnostic):
    code = "A1040"
    message = "`{network}` has no part `{name}`"
    help = "{hint}"


class StandardInputTwice(Diagnostic):
    code = "A1041"
    message = "standard input can be one of two specs, not both"


class SeveralArchs(Diagnostic):
    code = "A1037"
    message = "{path} has several archs, and none of the file's name: {archs}"
    help = "choose one: --arch {first}"


class NothingToSet(Diagnostic):
    code = "A1017"
    message = "`set` finds no `{path}`"
    help = "{hint}"


class ExtendsItself(Diagnostic):
    code = "A1018"
    message = "definitions extend each other in a circle: {chain}"
    help = "one of them has to stand by itself"


class ExtendsOtherKind(Diagnostic):
    code = "A1019"
    message = "{kind} cannot extend `{parent}`, which is {parent_kind}"
    help = "a block extends a block, an arch an arch"


class OtherInputs(Diagnostic):
    code = "A1020"
    message = "`{name}` has another number of inputs: {count}, and here {given}"
    help = "name as many inputs as it has; they take their places in order"


class BlockUsesItself(Diagnostic):
    code = "A1021"
    message = "blocks use each other in a circle: {chain}"
    help = "blocks do not recurse; use a table with `n` or a `repeat`"


class NumberCarried(Diagnostic):
    code = "A1034"
    message = "`{name}` is a number from outside of `{label}`; such a repeat changes tensors only"
    help = "take the label away, or work the number out from the round"


class LabelIsSize(Diagnostic):
    code = "A1022"
    message = "a row cannot be labelled `{name}`"
    help = "`.{name}` is a size of a tensor; choose another label"


class TensorOfArch(Diagnostic):
    code = "A1023"
    message = "`{name}: tensor` belongs to a block"
    help = "the tensors of an arch are its inputs: input {name}: 3x224x224"


class TensorDefault(Diagnostic):
    code = "A1024"
    message = "the tensor `{name}` can have no default but `none`"
    help = "write {name}: tensor = none; {name} == none tells whether it is there"


class InputInBlock(Diagnostic):
    code = "A1025"
    message = "`input` belongs to an arch"
    help = "a block takes tensors as parameters: {name}: tensor"


class VariantsInBlock(Diagnostic):
    code = "A1026"
    message = "`variants` belongs to an arch"
    help = "give the block parameters, and let the arch that uses it set them"


class TensorAsNumber(Diagnostic):
    code = "A1035"
    message = "`{parameter}` of `{callee}` is no tensor, and this is one"
    help = "{hint}"


class NoReturn(Diagnostic):
    code = "A1027"
    message = "the {kind} `{name}` returns nothing"
    help = "end it with a line: return ..."


class NoInput(Diagnostic):
    code = "A1028"
    message = "the arch `{name}` has no input"
    help = "add a line: input image: 3x224x224"


class AfterReturn(Diagnostic):
    code = "A1029"
    message = "this stands after `return`"
    help = "`return` is the last line of a body"


class TrainingInBlock(Diagnostic):
    code = "A1030"
    message = "only an arch can return a value for training alone"
    help = "return it always; the arch returns it on `if training`"


class TrainingOnly(Diagnostic):
    code = "A1031"
    message = "every output is for training alone"
    help = "return at least one value without `if training`"


class RepeatsOrParameter(Diagnostic):
    code = "A1033"
    message = "`n` repeats the row, and `{callee}` has a parameter of that name"
    help = "give the parameter of the block another name"


class WrongExpectation(Diagnostic):
    code = "A1032"
    message = "an expectation compares `params`, `macs` or `depth` with a number"
    help = "expect params == 3504872"


class NotAClassName(Diagnostic):
    code = "A1036"
    message = "a class cannot be called `{name}`"
    help = "use letters, digits and _, and no word of Python or of torch"


# A3: shapes


class WrongRank(Diagnostic):
    code = "A3001"
    message = "`{operation}` takes {ranks}, not {shape}"
    help = "{fix}"


class NotATensor(Diagnostic):
    code = "A3002"
    message = "expected a tensor, not {what}"
    help = "inputs and the lines above are tensors; numbers are given as arguments"


class AbsentTensor(Diagnostic):
    code = "A3003"
    message = "{what} needs a tensor that is `none` here"
    help = "only `+` and `concat` leave an absent tensor out"


class ListAsTensor(Diagnostic):
    code = "A3004"
    message = "`{callee}` takes a tensor, not a list of {count}"
    help = "take one with [0], or join them with concat(...)"


class WrongTensors(Diagnostic):
    code = "A3005"
    message = "`{callee}` takes {expected} tensors, not {given}"
    help = "they are {names}: one may flow in, the others are arguments"


class NoSuchSize(Diagnostic):
    code = "A3006"
    message = "{shape} has no size `{name}`"
    help = "it has {known}"


class GuardWithoutSource(Diagnostic):
    code = "A3007"
    message = "a guard without `else` needs a line `name -> ...`, so that it can be its source"
    help = "add `else`, and what the value is where the condition is false"


class EmptyTable(Diagnostic):
    code = "A3008"
    message = "this table has no rows"
    help = "a row is the name of a block and a cell for each column of the header"


class RowGivesMany(Diagnostic):
    code = "A3009"
    message = "a row passes on one tensor, and `{callee}` returns {count}"
    help = "use it in a line with a name for each: a, b = ... -> {callee}"


class TooManyAxes(Diagnostic):
    code = "A3010"
    message = "the input `{name}` has {count} spatial axes; there can be 3 at most"


class MissingTensor(Diagnostic):
    code = "A3011"
    message = "`{callee}` needs the tensor `{tensor}`"
    help = "give it: {callee}({tensor}=...)"


class LinearNeedsVector(Diagnostic):
    code = "A3012"
    message = "`linear` takes a flat vector, not a {shape} map"
    help = (
        "average each channel first: -> global_pool -> linear(...);"
        " or keep all {size} numbers: -> flatten -> linear(...)"
    )


class WindowTooLarge(Diagnostic):
    code = "A3013"
    message = (
        "a window of {window} does not fit into {axis} {size}"
        " (kernel {kernel}, dilation {dilation}, padding {low} + {high})"
    )
    help = "{fix}"


class DoesNotDivide(Diagnostic):
    code = "A3014"
    message = "{divisor} does not divide {what}: {total} / {by} = {quotient}"
    help = "{fix}"


class ShapesDiffer(Diagnostic):
    code = "A3015"
    message = "`{operation}` cannot join {left} and {right}: {difference}"
    help = "{fix}"


class PaddingTooLarge(Diagnostic):
    code = "A3016"
    message = "the padding of a pool is at most half of its k: {padding} > {kernel} / 2"
    help = "p={most} is the most; p=keep and p=same fit every k"


class EmptyWindow(Diagnostic):
    code = "A3022"
    message = (
        "a window of `max_pool` has only padding at its {kernel} positions, "
        "{dilation} apart: {axis} is {size}"
    )
    help = "with d of at most {size} every window meets the map"


class ReflectionTooLarge(Diagnostic):
    code = "A3017"
    message = "mode=reflect needs padding smaller than the map: {padding} against {axis} {size}"
    help = "at most {most} fit; mode=replicate and constant take any"


class NothingLeft(Diagnostic):
    code = "A3018"
    message = "`{operation}` leaves nothing of {extent}: {arithmetic}"


class FewerChannels(Diagnostic):
    code = "A3019"
    message = "`pad_channels` cannot make {given} channels of {before} + {channels}"
    help = "conv(c, k=1) and slice reduce channels"


class SplitDoesNotAddUp(Diagnostic):
    code = "A3020"
    message = "the sizes {sizes} add up to {total}, and there are {extent}"
    help = "{fix}"


class ReshapeDoesNotFit(Diagnostic):
    code = "A3021"
    message = "the {size} numbers of {shape} do not fit into {wanted}: {arithmetic}"
    help = "-1 in place of one size stands for what is left"


# A4: what the spec itself demands


class RequirementFailed(Diagnostic):
    code = "A4001"
    message = "{text}"


class ExpectationFailed(Diagnostic):
    code = "A4002"
    message = "expected {expected}, but {name} is {actual} ({difference:+d})"
    help = "where the network is as meant, state {name} == {actual}"


# A6: weights and backends


class UnknownWeights(Diagnostic):
    code = "A6001"
    message = "{path} is no file of weights that is known"
    help = "weights are read from safetensors files and from what `torch.save` writes"


class NotSafetensors(Diagnostic):
    code = "A6002"
    message = "{path} is no sound safetensors file: {reason}"


class NotACheckpoint(Diagnostic):
    code = "A6003"
    message = "{path} is no checkpoint that can be read: {reason}"
    help = "it is what `torch.save(module.state_dict(), path)` writes"


class MissingWeight(Diagnostic):
    code = "A6004"
    message = "{path} lacks `{name}`, {expected}"
    help = "{hint}"


class SurplusWeight(Diagnostic):
    code = "A6005"
    message = "{path} has `{name}`, {given}, which the network has not"


class MisshapenWeight(Diagnostic):
    code = "A6006"
    message = "{path} has `{name}` as {given}; expected {expected}"


class NeedsPackage(Diagnostic):
    code = "A6007"
    message = "{what} needs {package}, which is not installed"
    help = "pip install {package}"


class UnknownOpset(Diagnostic):
    code = "A6008"
    message = "there is no opset {opset} to write"
    help = "write one from {oldest} to {newest}"


class NoLowering(Diagnostic):
    code = "A6009"
    message = "`{operation}` cannot be written for opset {opset}: {reason}"


class SizeIsFixed(Diagnostic):
    code = "A6010"
    message = "`{operation}` fixes the size of the input: {reason}"
    help = "without --dynamic spatial the sizes are those of the spec"


class TypeNeedsOpset(Diagnostic):
    code = "A6011"
    message = "{type} needs opset {needed} or newer: before, convolutions and pools do not take it"


class NumberDoesNotFit(Diagnostic):
    code = "A6012"
    message = "`{name}` has numbers that {type} cannot hold"
    help = "{hint}"


class TooLargeForOneFile(Diagnostic):
    code = "A6013"
    message = "{size} bytes do not fit into one ONNX file, which holds less than 2 GiB"
    help = "let the weights lie in a second file: --external-data auto"


class UnknownOption(Diagnostic):
    code = "A6014"
    message = "there is no {option} `{value}`"
    help = "choose one of {known}"


class UselessNumbers(Diagnostic):
    code = "A6015"
    message = "{path} has `{name}` with {what}, of which no result comes"
    help = "the training diverged: take weights from before"


class NoCounterpart(Diagnostic):
    code = "A6020"
    message = "{path} has nothing for {what}"
    help = "{hint}"


class OtherCounterpart(Diagnostic):
    code = "A6021"
    message = "{path} has `{theirs}` as {given} where `{ours}` is {expected}"
    help = "{hint}"


class LeftOver(Diagnostic):
    code = "A6022"
    message = "{path} has {what}, for which the network has no place"
    help = "{hint}"


class Ambiguous(Diagnostic):
    code = "A6023"
    message = (
        "{path} leaves open which layer is which: {count} fit in more than one way,"
        " and neither names nor their order tell"
    )
    help = "say which with `--map FILE`, the file of lines like these, corrected{also}:\n{lines}"


class OrderDiffers(Diagnostic):
    code = "A6024"
    message = (
        "{path} has the tensors of the network, and in no order that agrees with it:"
        " {taken} of {count} layers fit, then {theirs} should be {ours}"
    )
    help = (
        "it may be another network of the same layers; if not, say which layer is which"
        " with `--map FILE`, in lines like\n{lines}"
    )


class TooManyReadings(Diagnostic):
    code = "A6025"
    message = "there are too many ways to find the layers of the network in {path}"
    help = "`--map FILE` can say which module holds which block: layer1 -> body.stage1"


class NotAMapping(Diagnostic):
    code = "A6026"
    message = "a line of a map is `NAME -> NAME`, the checkpoint's and the network's"
    help = "`-` for the first leaves a layer fresh, for the second a layer unused"


class UnknownInMap(Diagnostic):
    code = "A6027"
    message = "{whose} has no layer or module `{name}`"
    help = "{hint}"


class MappedTwice(Diagnostic):
    code = "A6028"
    message = "`{name}` is settled twice"


class MapDoesNotFit(Diagnostic):
    code = "A6029"
    message = "`{theirs}` is {given} and cannot be `{ours}`, which is {expected}"
    help = "{hint}"


class SeveralStates(Diagnostic):
    code = "A6030"
    message = "{path} holds several state_dicts: {entries}"
    help = "choose one: `--entry {first}`"


class NoSuchEntry(Diagnostic):
    code = "A6031"
    message = "{path} has no state_dict `{entry}`"
    help = "{hint}"


class NoSuchLayer(Diagnostic):
    code = "A6032"
    message = "the network has no layer or block `{name}` to skip"
    help = "{hint}"


class OtherNames(Diagnostic):
    code = "A6033"
    message = "{path} has no weight that the network has: it has `{theirs}`, not `{ours}`"
    help = "`archdsl weights convert SPEC {path}` finds which is which, and renames them"


class WeightInParts(Diagnostic):
    code = "A6034"
    message = "{path} holds `{name}` in parts, such as `{part}`, and {reason}"
    help = (
        "make it whole before the file is saved: `remove_weight_norm`, `remove_spectral_norm`,"
        " `prune.remove` or `parametrize.remove_parametrizations` of `torch.nn.utils`"
    )


class NeedsShapes(Diagnostic):
    code = "A1050"
    message = "the block `{block}` is no network until its inputs have shapes: {names}"
    help = "give them: `{example}`"


class NoSuchTensor(Diagnostic):
    code = "A1051"
    message = "the block `{block}` has no input `{name}`"
    help = "{hint}"


class NotAShape(Diagnostic):
    code = "A1052"
    message = "`{text}` is no shape: channels, then the sizes of the axes, such as 64x56x56"


class ShapesOfArch(Diagnostic):
    code = "A1053"
    message = "the shapes of the inputs of `{arch}` are in its spec"
    help = "`--input` is for blocks, which have none; change those of an arch with `extends`"


class NotAnOnnxFile(Diagnostic):
    code = "A6040"
    message = "onnxruntime cannot run {path}: {reason}"


class NeedsWeights(Diagnostic):
    code = "A6041"
    message = "{path} does not say which random weights are in it"
    help = "name the file of weights that it was made with: `--weights FILE`"


class NotThisNetwork(Diagnostic):
    code = "A6042"
    message = "{path} is another network: {reason}"


class UnusableSize(Diagnostic):
    code = "A6043"
    message = "`--size {size}` cannot be run: {reason}"


class OnlyWhenWriting(Diagnostic):
    code = "A6044"
    message = "`{option}` says how `archdsl verify` writes a graph, and `--onnx` names one"
    help = "leave `{option}` out: the file is run as it is"


class NoPictureEnding(Diagnostic):
    code = "A6050"
    message = "the ending of {path} says no format of a picture"
    help = "end it with one of {known}, or choose with --format"


class NoSuchPart(Diagnostic):
    code = "A6051"
    message = "`{network}` has no row or block `{path}` that could be opened"
    help = "{hint}"


# A7: warnings, what is legal and likely wrong


class UnusedParameter(Diagnostic):
    severity = "warning"
    code = "A7001"
    message = "the {what} `{name}` of the {kind} `{unit}` is never used"
    help = "use it, take it away, or call it `_{name}` where it is there on purpose"


class UnusedValue(Diagnostic):
    severity = "warning"
    code = "A7002"
    message = "nothing that is returned needs `{name}`"
    help = "use it, take the line away, or call it `_{name}` where it is there on purpose"


class UnusedBlock(Diagnostic):
    severity = "warning"
    code = "A7003"
    message = "the block `{name}` is never used"
    help = "use it, move it to a file of blocks, or call it `_{name}`"


class RoundedFar(Diagnostic):
    """Told unless the spec states the `params` of the network: then they are as meant."""

    severity = "warning"
    code = "A7004"
    message = "{text} = {exact} channels, rounded to {rounded}: {change:+.0%}"
    help = "choose another width or a smaller divisor; where it is meant, state the `params`"


class ArmStays(Diagnostic):
    severity = "warning"
    code = "A7009"
    message = "`{name}` is `{source}` here, so that the sum has `{source}` twice"
    help = "a guard gives its source; to lose the arm write: {name} = ... if ... else none"


class LeftOut(Diagnostic):
    """Told unless the spec states the `macs` of the network: then they are as meant."""

    severity = "warning"
    code = "A7005"
    message = "`{operation}` never sees the last {count} of {axis} {size}: {arithmetic}"
    help = "`p=same` or a size of {fits} sees all; where it is meant, state the `macs`"


class SpecWarns(Diagnostic):
    severity = "warning"
    code = "A7006"
    message = "{text}"


class GuardSettled(Diagnostic):
    severity = "warning"
    code = "A7007"
    message = "`{condition}` is {outcome} in each of the {uses} uses of `{block}`"
    help = "write the line without the condition, or move the block to a file of blocks"


class UnusedLabel(Diagnostic):
    """Told where other labels of the table are read: there, labels are taps."""

    severity = "warning"
    code = "A7008"
    message = "nothing reads the label `{name}`"
    help = "use it as `{table}.{name}`, take it away, or call it `_{name}` where it is but a name"


class UnlikelyNumber(Diagnostic):
    severity = "warning"
    code = "A7010"
    message = "`{parameter}` of `{operation}` is {value}, which is unusually large"
    help = "{hint}"


# A8: what was measured


class NotACsv(Diagnostic):
    code = "A8001"
    message = "this is no table of measurements: {reason}"
    help = "the first line names the columns, `network` among them: network,latency,accuracy"


class UnevenRow(Diagnostic):
    code = "A8002"
    message = "this line has {cells} cells, and the first line names {columns} columns"


class NotANumber(Diagnostic):
    code = "A8003"
    message = "`{text}` in the column `{column}` is no number"
    help = "leave the cell empty where nothing was measured"


class NoSuchMeasure(Diagnostic):
    code = "A8004"
    message = "there is no measure or column `{name}`"
    help = "{hint}"


class SeveralRows(Diagnostic):
    code = "A8005"
    message = "`{network}` has {count} rows with `{column}`"
    help = "{hint}"


class NothingToDraw(Diagnostic):
    code = "A8006"
    message = "no network has both `{x}` and `{y}`"
    help = "rows are found by the column `network`: the name of the variant or of the arch"


class RowWithoutNetwork(Diagnostic):
    severity = "warning"
    code = "A8007"
    message = "no network of the figure is called `{name}`"
    help = "{hint}"


class NotMeasured(Diagnostic):
    severity = "warning"
    code = "A8008"
    message = "`{network}` is left out: nothing tells its `{column}`"


class TooLargeToRun(Diagnostic):
    code = "A8009"
    message = (
        "`{network}` with a batch of {batch} needs {gigabytes:,.0f} GB, more than this machine has"
    )
    help = "take smaller batches: --batch 1"


class CannotFeed(Diagnostic):
    code = "A8010"
    message = "nothing fits the input `{input}` of {path}: {reason}"
    help = "give the open sizes with `--size HxW`, and a batch that the file takes with `--batch`"


class NeedsASpec(Diagnostic):
    code = "A8011"
    message = "`{option}` needs the spec of a network, and {path} is an ONNX file"
    help = "an ONNX file runs in onnxruntime as it is; leave `{option}` out, or name the spec"
