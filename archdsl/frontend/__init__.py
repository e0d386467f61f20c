"""From text to definitions: layout, parsing, `use` and `extends`, names. Knows no shapes."""
