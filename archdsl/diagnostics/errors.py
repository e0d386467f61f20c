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
    message = "unexpected character `{character}`"
    help = "{hint}"
    where: str


class NeverClosed(Diagnostic):
    code = "A0003"
    message = "`{opener}` is never closed"
    help = "{hint}"
    closer: str
    noticed: int


class NothingToClose(Diagnostic):
    code = "A0004"
    message = "unmatched `{closer}`"
    instead: str = " "


class TextNeverClosed(Diagnostic):
    code = "A0005"
    message = "missing closing quote"
    help = "close the text on the same line; write \\n for a line break"


class WrongNumber(Diagnostic):
    code = "A0006"
    message = "`{text}` is not a number"
    help = "{hint}"
    hint: str = "names start with a letter; write numbers as 12, 0.25 or 1e-3"


class SecondHeader(Diagnostic):
    code = "A0007"
    message = "second header in `variants`"
    help = "if it is a variant, give it a name other than `name`"


class RowBeforeHeader(Diagnostic):
    code = "A0008"
    message = "row before the header"
    help = "begin the table with a line `name ...` that names the columns"


class NotAColumn(Diagnostic):
    code = "A0019"
    message = "`{text}` cannot name a column"
    help = "columns are parameters of the arch, `params`, `macs` or `as`"


class ReservedWord(Diagnostic):
    code = "A0018"
    message = "`{word}` is a reserved word; choose another name"


class UnknownKind(Diagnostic):
    code = "A0009"
    message = "a parameter can be declared only as `tensor`, not as `{kind}`"
    help = "parameters that hold numbers, words or operations have no type: write only the name"


class NotUtf8(Diagnostic):
    code = "A0010"
    message = "invalid UTF-8: byte {byte}"
    help = "save the file as UTF-8"


class NoSuchFile(Diagnostic):
    code = "A0011"
    message = "cannot read {path}: {reason}"
    help = "{hint}"
    hint: str = ""


class FileTooLarge(Diagnostic):
    code = "A0012"
    message = "{path} and the files it uses exceed the size limit of {limit} bytes"
    help = "raise the limit with `--limit source-bytes=N`"


class NotASpecPath(Diagnostic):
    code = "A0013"
    message = '`use "{path}"`: expected a relative path that ends in .arch'


class OutsideTheTree(Diagnostic):
    code = "A0014"
    message = '`use "{path}"` leaves the folder of the spec'
    help = "a spec can use the shipped specs and files in its own folder and below"


class FilesUseEachOther(Diagnostic):
    code = "A0015"
    message = "circular `use`: {chain}"


class CannotWrite(Diagnostic):
    code = "A0016"
    message = "cannot write {path}: {reason}"


class NoSuchSpec(Diagnostic):
    code = "A0017"
    message = "{name} is neither a file nor a shipped spec"
    help = "{hint}"


class NoSpecs(Diagnostic):
    code = "A0020"
    message = "no .arch files in {path} or its subfolders"
    help = "name a folder that contains specs"


# A5: limits


class LineTooLong(Diagnostic):
    code = "A5001"
    message = "statement of more than {limit} tokens"
    help = "split it into named parts, or raise the limit with `--limit line-tokens=N`"


class TooManyWords(Diagnostic):
    fatal = True
    code = "A5012"
    message = "file of more than {limit} tokens"
    help = "use a block, a table or `repeat`, or raise the limit with `--limit file-tokens=N`"


class TooManyOperators(Diagnostic):
    code = "A5011"
    message = "statement of more than {limit} operators"
    help = "split it into named parts, or raise the limit with `--limit line-operators=N`"


class NestedTooDeep(Diagnostic):
    code = "A5002"
    message = "brackets nested deeper than {limit}"
    help = "raise the limit with `--limit nesting=N`"


class NumberTooLarge(Diagnostic):
    code = "A5003"
    message = "number exceeds the limit of {limit}"
    help = "raise the limit with `--limit number=N`"


class TooManyFiles(Diagnostic):
    code = "A5004"
    message = "spec uses more than {limit} files"
    help = "raise the limit with `--limit files=N`"


class ExtendsTooDeep(Diagnostic):
    code = "A5005"
    message = "`extends` chain longer than {limit}"
    help = "raise the limit with `--limit extensions=N`"


class TooMuchWork(Diagnostic):
    fatal = True
    code = "A5006"
    message = "evaluation takes more than {limit} steps"
    help = "raise the limit with `--limit work=N`"


class TooManyItems(Diagnostic):
    code = "A5010"
    message = "list of {count} items, nested ones included, exceeds the limit of {limit}"
    help = "raise the limit with `--limit items=N`"


class TooManyRepeats(Diagnostic):
    code = "A5007"
    message = "{count} repeats exceed the limit of {limit}"
    help = "raise the limit with `--limit repeats=N`"


class TooManyOperations(Diagnostic):
    fatal = True
    code = "A5008"
    message = "network of more than {limit} operations"
    help = "raise the limit with `--limit operations=N`"


class ExpandsTooDeep(Diagnostic):
    fatal = True
    code = "A5009"
    message = "blocks nested deeper than {limit}"
    help = "raise the limit with `--limit expansion=N`"


class TooManyParameters(Diagnostic):
    code = "A5013"
    message = "cannot write {count} parameters to a file: the limit is {limit}"
    help = (
        "raise the limit with `--limit parameters=N`, or leave the weights out with `--no-weights`"
    )


class TooLongRow(Diagnostic):
    code = "A5017"
    message = (
        "cannot draw `{name}`: each of its {rows} output channels has {count} numbers;"
        " the limit is {limit}"
    )
    help = "pool or stride before the layer, or raise the limit with `--limit weight-row=N`"


class TooManyConstants(Diagnostic):
    code = "A5015"
    message = "`{operation}` adds {count} constants to the file, more than the limit of {limit}"
    help = "use a smaller size or kernel, or raise the limit with `--limit constants=N`"


class TooMuchToRun(Diagnostic):
    code = "A5016"
    message = "up to here a run takes {count} {what}, and may take {limit}"
    help = (
        "a smaller network or input takes less; `--limit run-operations=N`, `--limit run-macs=N` "
        "and `--limit run-numbers=N` allow more"
    )


class TooManyTensors(Diagnostic):
    code = "A5014"
    message = "{path} has {count} tensors, more than the limit of {limit}"
    help = "raise the limit with `--limit tensors=N`"


# A2: numbers and values


class WrongValue(Diagnostic):
    code = "A2001"
    message = "expected {expected}{subject}, not {value}"
    help = "{hint}"
    subject: str = ""
    hint: str = ""


class NotWhole(Diagnostic):
    code = "A2002"
    message = "expected {expected}{subject}, but {value} is not an integer"
    help = "round it: round(...), floor(...), ceil(...) or divisible(..., 8)"
    subject: str = ""


class WrongAxes(Diagnostic):
    code = "A2003"
    message = "{value} has {count} numbers, but {axes}"
    help = "write one number for all axes, or one per axis"


class TooLarge(Diagnostic):
    code = "A2004"
    message = "{value} exceeds the largest possible size ({limit})"


class ExactlyOne(Diagnostic):
    code = "A2021"
    message = "`{callee}` takes exactly one of {options}; given: {given}"
    help = "give one of them"


class NoEffect(Diagnostic):
    code = "A2022"
    message = "`{parameter}` of `{callee}` has no effect with {other}"
    help = "remove `{parameter}`"


class CannotKeep(Diagnostic):
    code = "A2023"
    message = (
        "p=keep pads each side by d * (k - 1) / 2, but {dilation} * ({kernel} - 1) / 2 = {half}"
        " is not an integer"
    )
    help = "{hint}"
    hint: str = "use an odd kernel, p=same (pads one more at the end), p=valid or a number"


class NoSuchNumber(Diagnostic):
    code = "A2005"
    message = "{text} is undefined"
    help = "guard it with a condition: ... if b != 0 else 0"


class WrongOperands(Diagnostic):
    code = "A2006"
    message = "`{operator}` cannot combine {kinds}"
    help = "{hint}"
    hint: str = ""


class WrongArguments(Diagnostic):
    code = "A2007"
    message = "`{function}` takes {expected}, not {given}"
    help = "{hint}"
    hint: str = ""


class NotACondition(Diagnostic):
    code = "A2008"
    message = "expected a condition (true or false), not {what}"
    help = "compare it: ... > 0, or ... != none"


class NotAList(Diagnostic):
    code = "A2009"
    message = "only lists can be indexed, and this is {what}"
    help = "{hint}"


class NoSuchItem(Diagnostic):
    code = "A2010"
    message = "index {index} is out of range for a list of {count}"
    help = "indices run from 0 to {last}; -1 is the last item"


class TextAsValue(Diagnostic):
    code = "A2011"
    message = "text cannot be a value"
    help = "write words such as same or bilinear without quotes"


class OpenChoice(Diagnostic):
    code = "A2012"
    message = "unresolved choice"
    help = "replace it with one of its values before building"


class TensorInLet(Diagnostic):
    code = "A2013"
    message = "`let` defines numbers and operations, but `{name}` is a tensor"
    help = "remove `let`: {name} = ..."


class NumberInLine(Diagnostic):
    code = "A2014"
    message = "without `let`, a line defines tensors, but `{name}` is {what}"
    help = "{hint}"


class WrongCount(Diagnostic):
    code = "A2015"
    message = "cannot unpack {count} values into {targets} names"
    help = "give each value a name, or give one name to the whole list"


# A1: names and calls


class MissingArgument(Diagnostic):
    code = "A1001"
    message = "`{callee}` needs `{parameter}` ({doc})"
    help = "{hint}"


class UnknownName(Diagnostic):
    code = "A1002"
    message = "unknown {kind} `{name}`"
    help = "{hint}"


class UnknownParameter(Diagnostic):
    code = "A1003"
    message = "`{callee}` has no parameter `{parameter}`"
    help = "{hint}"


class UnknownField(Diagnostic):
    code = "A1004"
    message = "tensors have no attribute `{name}`"
    help = "{hint}"


class DefinedTwice(Diagnostic):
    code = "A1005"
    message = "`{name}` is defined twice"
    help = "rename one of them"


class ArgumentTwice(Diagnostic):
    code = "A1006"
    message = "`{parameter}` is given twice"
    help = "remove one of them"


class ColumnTwice(Diagnostic):
    code = "A1007"
    message = "duplicate column `{name}`"
    help = "remove one of them"


class TooManyArguments(Diagnostic):
    code = "A1008"
    message = "too many arguments: besides its tensors, `{callee}` takes {count}"
    help = "{hint}"


class TooManyCells(Diagnostic):
    code = "A1009"
    message = "this row has {cells} cells, but the header has {columns} columns"
    help = "name its column in the header or in the cell (k=3), or remove the cell"


class NoHeader(Diagnostic):
    code = "A1038"
    message = "this table needs a header to name the columns of its cells"
    help = "{hint}"


class NotAnOperation(Diagnostic):
    code = "A2016"
    message = "`{name}` is {what}, not an operation"
    help = "to call a parameter, pass an operation: {name}=relu, or {name}=identity to do nothing"


class NoRowHas(Diagnostic):
    code = "A1011"
    message = "no row of this table takes a parameter `{parameter}`"
    help = "{hint}"


class SetByName(Diagnostic):
    code = "A1012"
    message = "expected a named argument"
    help = "write name=value"


class NamedForFunction(Diagnostic):
    code = "A1013"
    message = "`{function}` takes positional arguments only"
    help = "write only the value"


class NoValue(Diagnostic):
    code = "A1014"
    message = "no value for the parameter `{parameter}`"
    help = "set it: --set {parameter}=..."


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
    message = "only one of the two specs can be read from standard input"


class SeveralArchs(Diagnostic):
    code = "A1037"
    message = "{path} has several archs and none is named after the file: {archs}"
    help = "choose one: --arch {first}"


class NothingToSet(Diagnostic):
    code = "A1017"
    message = "`set`: unknown path `{path}`"
    help = "{hint}"


class ExtendsItself(Diagnostic):
    code = "A1018"
    message = "circular `extends`: {chain}"
    help = "remove `extends` from one of them"


class ExtendsOtherKind(Diagnostic):
    code = "A1019"
    message = "{kind} cannot extend `{parent}`, which is {parent_kind}"
    help = "blocks extend blocks, and archs extend archs"


class OtherInputs(Diagnostic):
    code = "A1020"
    message = "number of inputs differs from `{name}`: {given} instead of {count}"
    help = "list as many inputs as it has; they are matched by position"


class BlockUsesItself(Diagnostic):
    code = "A1021"
    message = "recursive blocks: {chain}"
    help = "blocks cannot be recursive; use a table with `n` or `repeat`"


class NumberCarried(Diagnostic):
    code = "A1034"
    message = "the labeled repeat `{label}` cannot change the number `{name}` from outside"
    help = "remove the label, or compute the number from the loop variable"


class LabelIsSize(Diagnostic):
    code = "A1022"
    message = "`{name}` cannot label a row"
    help = "`.{name}` is a size of a tensor; choose another label"


class TensorOfArch(Diagnostic):
    code = "A1023"
    message = "`{name}: tensor` is only allowed in blocks"
    help = "declare the tensors of an arch as inputs: input {name}: 3x224x224"


class TensorDefault(Diagnostic):
    code = "A1024"
    message = "the default of the tensor `{name}` can only be `none`"
    help = "write {name}: tensor = none, and test it with {name} == none"


class InputInBlock(Diagnostic):
    code = "A1025"
    message = "`input` is only allowed in archs"
    help = "declare the tensors of a block as parameters: {name}: tensor"


class VariantsInBlock(Diagnostic):
    code = "A1026"
    message = "`variants` is only allowed in archs"
    help = "add parameters to the block, and set them in the arch that uses it"


class TensorAsNumber(Diagnostic):
    code = "A1035"
    message = "`{parameter}` of `{callee}` cannot be a tensor"
    help = "{hint}"


class NoReturn(Diagnostic):
    code = "A1027"
    message = "{kind} `{name}` has no `return`"
    help = "end it with a line: return ..."


class NoInput(Diagnostic):
    code = "A1028"
    message = "arch `{name}` has no input"
    help = "add a line: input image: 3x224x224"


class AfterReturn(Diagnostic):
    code = "A1029"
    message = "unreachable: follows `return`"
    help = "move `return` to the end of the body"


class TrainingInBlock(Diagnostic):
    code = "A1030"
    message = "only an arch can have training-only outputs"
    help = "return it always here, and with `if training` in the arch"


class TrainingOnly(Diagnostic):
    code = "A1031"
    message = "all outputs are training-only"
    help = "return at least one value without `if training`"


class RepeatsOrParameter(Diagnostic):
    code = "A1033"
    message = "ambiguous: `n` repeats the row, but `{callee}` also has a parameter `n`"
    help = "rename the parameter of the block"


class WrongExpectation(Diagnostic):
    code = "A1032"
    message = "`expect` compares `params`, `macs` or `depth` with a number"
    help = "write it as: expect params == 3504872"


class NotAClassName(Diagnostic):
    code = "A1036"
    message = "invalid class name `{name}`"
    help = "use letters, digits and _, but no reserved name of Python or torch"


# A3: shapes


class WrongRank(Diagnostic):
    code = "A3001"
    message = "`{operation}` takes {ranks}, not {shape}"
    help = "{fix}"


class NotATensor(Diagnostic):
    code = "A3002"
    message = "expected a tensor, not {what}"
    help = "inputs and the lines above are tensors; pass numbers as arguments"


class AbsentTensor(Diagnostic):
    code = "A3003"
    message = "{what} needs a tensor, but it is `none` here"
    help = "only `+` and `concat` skip absent tensors"


class ListAsTensor(Diagnostic):
    code = "A3004"
    message = "`{callee}` takes a tensor, not a list of {count}"
    help = "{hint}"
    hint: str = "select one with [0], or join them with concat(...)"


class WrongTensors(Diagnostic):
    code = "A3005"
    message = "`{callee}` takes {expected} tensors, not {given}"
    help = "they are {names}: one can come from the flow, the others are arguments"


class NoSuchSize(Diagnostic):
    code = "A3006"
    message = "{shape} has no size `{name}`"
    help = "it has {known}"


class GuardWithoutSource(Diagnostic):
    code = "A3007"
    message = (
        "`if` without `else` needs a line `name -> ...`: "
        "`name` is the value if the condition is false"
    )
    help = "add `else` and the value for a false condition"


class EmptyTable(Diagnostic):
    code = "A3008"
    message = "this table has no rows"
    help = "a row is the name of a block and one cell per column of the header"


class RowGivesMany(Diagnostic):
    code = "A3009"
    message = "each row passes on one tensor, but `{callee}` returns {count}"
    help = "use it in a line that names each: a, b = ... -> {callee}"


class TooManyAxes(Diagnostic):
    code = "A3010"
    message = "the input `{name}` has {count} spatial axes; the maximum is 3"


class MissingTensor(Diagnostic):
    code = "A3011"
    message = "`{callee}` needs the tensor `{tensor}`"
    help = "pass it: {callee}({tensor}=...)"


class LinearNeedsVector(Diagnostic):
    code = "A3012"
    message = "`linear` takes a flat vector, not {shape}"
    help = (
        "average each channel: -> global_pool -> linear(...); or keep all {size} numbers: ->"
        " flatten -> linear(...)"
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
    message = "`{operation}`: shapes {left} and {right} do not match: {difference}"
    help = "{fix}"


class PaddingTooLarge(Diagnostic):
    code = "A3016"
    message = "pool padding cannot exceed half the kernel: {padding} > {kernel} / 2"
    help = "use at most p={most}; p=keep and p=same fit any k"


class EmptyWindow(Diagnostic):
    code = "A3022"
    message = (
        "a window of `max_pool` covers only padding: {kernel} positions, {dilation} apart, over"
        " {axis} {size}"
    )
    help = "with d <= {size}, every window overlaps the map"


class ReflectionTooLarge(Diagnostic):
    code = "A3017"
    message = "mode=reflect needs padding smaller than the map, but {padding} >= {axis} {size}"
    help = "use at most {most}; mode=replicate and mode=constant allow any padding"


class NothingLeft(Diagnostic):
    code = "A3018"
    message = "`{operation}` leaves nothing of {extent}: {arithmetic}"


class FewerChannels(Diagnostic):
    code = "A3019"
    message = "`pad_channels` cannot reduce channels: {before} + {channels} is more than {given}"
    help = "reduce channels with conv(c, k=1) or slice"


class SplitDoesNotAddUp(Diagnostic):
    code = "A3020"
    message = "the sizes {sizes} add up to {total}, not to {extent}"
    help = "{fix}"


class ReshapeDoesNotFit(Diagnostic):
    code = "A3021"
    message = "cannot reshape the {size} numbers of {shape} to {wanted}: {arithmetic}"
    help = "-1 for one size computes it from the rest"


# A4: what the spec itself demands


class RequirementFailed(Diagnostic):
    code = "A4001"
    message = "{text}"


class ExpectationFailed(Diagnostic):
    code = "A4002"
    message = "expected {expected}, but {name} is {actual} ({difference:+d})"
    help = "if the network is as intended, write {name} == {actual}"


# A6: weights and backends


class UnknownWeights(Diagnostic):
    code = "A6001"
    message = "{path}: unknown weight file format"
    help = "use a safetensors file or a file written by `torch.save`"


class NotSafetensors(Diagnostic):
    code = "A6002"
    message = "{path}: invalid safetensors file: {reason}"


class NotACheckpoint(Diagnostic):
    code = "A6003"
    message = "{path}: unreadable checkpoint: {reason}"
    help = "write checkpoints with `torch.save(module.state_dict(), path)`"


class MissingWeight(Diagnostic):
    code = "A6004"
    message = "{path} lacks `{name}`, {expected}"
    help = "{hint}"


class SurplusWeight(Diagnostic):
    code = "A6005"
    message = "{path} has `{name}`, {given}, but the network does not"


class MisshapenWeight(Diagnostic):
    code = "A6006"
    message = "{path}: `{name}` is {given}; expected {expected}"


class NeedsPackage(Diagnostic):
    code = "A6007"
    message = "{what} needs {package}, which is not installed"
    help = "pip install {package}"


class UnknownOpset(Diagnostic):
    code = "A6008"
    message = "unsupported opset {opset}"
    help = "use an opset from {oldest} to {newest}"


class NoLowering(Diagnostic):
    code = "A6009"
    message = "`{operation}` cannot be written in opset {opset}: {reason}"


class SizeIsFixed(Diagnostic):
    code = "A6010"
    message = "`{operation}` fixes the input size: {reason}"
    help = "without `--dynamic spatial`, the graph uses the sizes of the spec"


class TypeNeedsOpset(Diagnostic):
    code = "A6011"
    message = (
        "{type} needs opset {needed} or newer: convolutions and pools do not support it before"
    )


class NumberDoesNotFit(Diagnostic):
    code = "A6012"
    message = "`{name}` has numbers that do not fit into {type}"
    help = "{hint}"


class TooLargeForOneFile(Diagnostic):
    code = "A6013"
    message = "{size} bytes exceed the 2 GiB limit of an ONNX file"
    help = "store the weights in a second file: --external-data auto"


class UnknownOption(Diagnostic):
    code = "A6014"
    message = "unknown {option} `{value}`"
    help = "choose one of {known}"


class UselessNumbers(Diagnostic):
    code = "A6015"
    message = "{path}: `{name}` contains {what}, which make every result invalid"
    help = "training diverged: use weights from before"


class NoCounterpart(Diagnostic):
    code = "A6020"
    message = "{path} has no counterpart for {what}"
    help = "{hint}"


class OtherCounterpart(Diagnostic):
    code = "A6021"
    message = "{path}: `{theirs}` is {given}, but `{ours}` is {expected}"
    help = "{hint}"


class LeftOver(Diagnostic):
    code = "A6022"
    message = "{path} has {what}, which the network does not use"
    help = "{hint}"


class Ambiguous(Diagnostic):
    code = "A6023"
    message = (
        "{path}: ambiguous layers: {count} match in more than one way, and neither their names"
        " nor their order decides"
    )
    help = "choose with `--map FILE`, a file of lines like these, corrected{also}:\n{lines}"


class OrderDiffers(Diagnostic):
    code = "A6024"
    message = (
        "{path} has the tensors of the network, but not in its order: {taken} of {count} layers"
        " match, then {theirs} should be {ours}"
    )
    help = (
        "this may be another network with the same layers; if not, map the layers with `--map"
        " FILE`, in lines like\n{lines}"
    )


class TooManyReadings(Diagnostic):
    code = "A6025"
    message = "{path}: too many ways to match the layers of the network"
    help = "map modules to blocks with `--map FILE`: layer1 -> body.stage1"


class NotAMapping(Diagnostic):
    code = "A6026"
    message = "expected `NAME -> NAME`: the checkpoint's name, then the network's"
    help = (
        "`- -> NAME` keeps a layer's initial weights; `NAME -> -` ignores a layer of the checkpoint"
    )


class UnknownInMap(Diagnostic):
    code = "A6027"
    message = "{whose} has no layer or module `{name}`"
    help = "{hint}"


class MappedTwice(Diagnostic):
    code = "A6028"
    message = "`{name}` is mapped twice"


class MapDoesNotFit(Diagnostic):
    code = "A6029"
    message = "`{theirs}` ({given}) cannot be mapped to `{ours}` ({expected})"
    help = "{hint}"


class SeveralStates(Diagnostic):
    code = "A6030"
    message = "{path} contains several state_dicts: {entries}"
    help = "choose one: archdsl weights convert ... --entry {first}"


class NoSuchEntry(Diagnostic):
    code = "A6031"
    message = "{path} has no state_dict `{entry}`"
    help = "{hint}"


class NoSuchLayer(Diagnostic):
    code = "A6032"
    message = "`--skip`: the network has no layer or block `{name}`"
    help = "{hint}"


class OtherNames(Diagnostic):
    code = "A6033"
    message = "no weight of {path} matches the network by name: it has `{theirs}`, not `{ours}`"
    help = "rename the weights with `archdsl weights convert SPEC {path}`"


class WeightInParts(Diagnostic):
    code = "A6034"
    message = "{path} stores `{name}` in parts, such as `{part}`, and {reason}"
    help = (
        "merge the parts before saving: `remove_weight_norm`, `remove_spectral_norm`,"
        " `prune.remove` or `parametrize.remove_parametrizations` of `torch.nn.utils`"
    )


class NeedsShapes(Diagnostic):
    code = "A1050"
    message = "block `{block}` needs shapes for its inputs: {names}"
    help = "add `{example}`"


class NoSuchTensor(Diagnostic):
    code = "A1051"
    message = "block `{block}` has no input `{name}`"
    help = "{hint}"


class NotAShape(Diagnostic):
    code = "A1052"
    message = (
        "invalid shape `{text}`: expected channels, then the size of each axis, such as 64x56x56"
    )


class ShapesOfArch(Diagnostic):
    code = "A1053"
    message = "`--input` sets the inputs of blocks only; the spec sets those of arch `{arch}`"
    help = "remove `--input`; to change the inputs of an arch, use `extends`"


class NotAnOnnxFile(Diagnostic):
    code = "A6040"
    message = "onnxruntime cannot run {path}: {reason}"


class NeedsWeights(Diagnostic):
    code = "A6041"
    message = "{path} does not record the random weights it contains"
    help = "name the weights file it was made from: `--weights FILE`"


class NotThisNetwork(Diagnostic):
    code = "A6042"
    message = "{path} is a different network: {reason}"


class UnusableSize(Diagnostic):
    code = "A6043"
    message = "cannot run `--size {size}`: {reason}"


class OnlyWhenWriting(Diagnostic):
    code = "A6044"
    message = "`{option}` has no effect with `--onnx`: the file is run as it is"
    help = "remove `{option}`"


class NoPictureEnding(Diagnostic):
    code = "A6050"
    message = "unknown picture format: {path}"
    help = "use one of the extensions {known}, or choose a format with --format"


class NoSuchPart(Diagnostic):
    code = "A6051"
    message = "`--open`: `{network}` has no row or block `{path}` that can be opened"
    help = "{hint}"


# A7: warnings, what is legal and likely wrong


class UnusedParameter(Diagnostic):
    severity = "warning"
    code = "A7001"
    message = "{what} `{name}` of {kind} `{unit}` is never used"
    help = "use it, remove it, or rename it `_{name}` if it is unused on purpose"


class UnusedValue(Diagnostic):
    severity = "warning"
    code = "A7002"
    message = "`{name}` does not affect any returned value"
    help = "use it, remove the line, or rename it `_{name}` if it is unused on purpose"


class UnusedBlock(Diagnostic):
    severity = "warning"
    code = "A7003"
    message = "block `{name}` is never used"
    help = "use it, move it to a file of blocks, or rename it `_{name}`"


class RoundedFar(Diagnostic):
    """Not reported if the spec states the `params` of the network, which confirms them."""

    severity = "warning"
    code = "A7004"
    message = "{text} = {exact} channels, rounded to {rounded}: {change:+.0%}"
    help = "choose another width or a smaller divisor; if intended, state the `params`"


class ArmStays(Diagnostic):
    severity = "warning"
    code = "A7009"
    message = "`{name}` equals `{source}` here, so the sum adds `{source}` twice"
    help = (
        "a false guard returns its source; to drop the branch, write: {name} = ... if ... else none"
    )


class LeftOut(Diagnostic):
    """Not reported if the spec states the `macs` of the network, which confirms them."""

    severity = "warning"
    code = "A7005"
    message = "`{operation}` never reads the last {count} of {axis} {size}: {arithmetic}"
    help = "use `p=same` or a size of {fits} to cover all; if intended, state the `macs`"


class SpecWarns(Diagnostic):
    severity = "warning"
    code = "A7006"
    message = "{text}"


class GuardSettled(Diagnostic):
    severity = "warning"
    code = "A7007"
    message = "`{condition}` is {outcome} in all {uses} uses of `{block}`"
    help = "remove the condition, or move the block to a file of blocks"


class UnusedLabel(Diagnostic):
    """Reported only if other labels of the table are used as taps."""

    severity = "warning"
    code = "A7008"
    message = "label `{name}` is never used"
    help = "use it as `{table}.{name}`, remove it, or rename it `_{name}` if it is only a name"


class UnlikelyNumber(Diagnostic):
    severity = "warning"
    code = "A7010"
    message = "unusually large `{parameter}` of `{operation}`: {value}"
    help = "{hint}"


# A8: what was measured


class NotACsv(Diagnostic):
    code = "A8001"
    message = "invalid table of measurements: {reason}"
    help = "name the columns in the first line, including `network`: network,latency,accuracy"


class UnevenRow(Diagnostic):
    code = "A8002"
    message = "this line has {cells} cells, but the header has {columns} columns"


class NotANumber(Diagnostic):
    code = "A8003"
    message = "`{text}` in column `{column}` is not a number"
    help = "leave the cell empty if nothing was measured"


class NoSuchMeasure(Diagnostic):
    code = "A8004"
    message = "unknown measure or column `{name}`"
    help = "{hint}"


class SeveralRows(Diagnostic):
    code = "A8005"
    message = "`{network}` has {count} rows with `{column}`"
    help = "{hint}"


class NothingToDraw(Diagnostic):
    code = "A8006"
    message = "no network has both `{x}` and `{y}`"
    help = (
        "the column `network` matches rows to networks: it holds the name of the variant or the"
        " arch"
    )


class RowWithoutNetwork(Diagnostic):
    severity = "warning"
    code = "A8007"
    message = "the figure has no network `{name}`"
    help = "{hint}"


class NotMeasured(Diagnostic):
    severity = "warning"
    code = "A8008"
    message = "`{network}` is left out: it has no `{column}`"


class TooLargeToRun(Diagnostic):
    code = "A8009"
    message = (
        "`{network}` with batch size {batch} needs {gigabytes:,.0f} GB, more than this machine has"
    )
    help = "use smaller batches: --batch 1"


class CannotFeed(Diagnostic):
    code = "A8010"
    message = "no data fits the input `{input}` of {path}: {reason}"
    help = (
        "set the open sizes with `--size HxW`, and a batch size that the file accepts with"
        " `--batch`"
    )


class NeedsASpec(Diagnostic):
    code = "A8011"
    message = "`{option}` needs a spec, but {path} is an ONNX file"
    help = "name the spec, or remove `{option}`: onnxruntime runs an ONNX file as it is"
