"""
Bounds on sources and on what they compile to, so that no source can hurt the compiler or the engine.

Nesting of the syntax tree is bounded by tokens (brackets, operators, dots, elif), hence every recursion over it is,
too.
"""

FILES_MAX = 16  # files of a bundle
FILE_BYTES_MAX = 64 * 1024
BUNDLE_BYTES_MAX = 256 * 1024  # of all files of a bundle
PATH_CHARACTERS_MAX = 128
LINE_CHARACTERS_MAX = 200
INDENT_SPACES_MAX = 48
BRACKET_DEPTH_MAX = 24
OPERATORS_MAX = 64  # operators, dots and operator keywords of one logical line
TOKENS_MAX = 1_000  # of one logical line
DIGITS_MAX = 40  # of one number
ELIFS_MAX = 64  # `elif` and `case` of one function
NAME_CHARACTERS_MAX = 64
STRING_CHARACTERS_MAX = 256  # of a string that is not a docstring
PARSER_STACK_BYTES = 64 * 1024 * 1024

FUNCTION_SIZE_MAX = 1_800  # instructions of the IR and words they move, of one function: Cranelift is superlinear
PROGRAM_SIZE_MAX = 6_500  # the same of one program
FUNCTIONS_MAX = 512  # of one program
ANCESTORS_MAX = 8  # program classes above a program class
CALL_CHAIN_MAX = 64  # functions that call one another in a row
LOCALS_MAX = 256  # of one function
PARAMETERS_MAX = 32  # of one function
FIELDS_MAX = 128  # of a struct, record, event or program
ENUM_MEMBERS_MAX = 256
LOOP_DEPTH_MAX = 8
TYPE_DEPTH_MAX = 8  # of one annotation
TYPE_LEVELS_MAX = 16  # of a type written out
TYPE_PARTS_MAX = 1_024  # of a type written out

KEY_WORDS_MAX = 6
STRUCT_WORDS_MAX = 128  # of a struct, event or record, headers of containers included
VALUE_WORDS_MAX = 32
ARRAY_WORDS_MAX = 1_024  # of an Array or BoundedList, its length left aside
MOVED_WORDS_MAX = 128  # of one that is passed, returned, copied, compared or stored as a whole
HASHED_WORDS_MAX = 128  # arguments of one sha256
PARAMETER_WORDS_MAX = 128  # packed arguments or results of one entry
CREATION_WORDS_MAX = 64  # packed arguments of a program that a program creates
CREATE_GAS = 500_000  # what the `create` of such a program may use unless it is said
INTERNAL_WORDS_MAX = 256  # parameters or results of a function that is no entry
LOCAL_WORDS_MAX = 4_096  # of all locals of one function
EVENT_WORDS_MAX = 64
FIELD_BYTES_MAX = 64 * 1024  # of all fields of a program
