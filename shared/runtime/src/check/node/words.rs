//! Words of JavaScript, as far as [`super::depth`] tells them apart.

/// Whether an operand must follow the word: it is reserved, and never a name but after a dot.
pub(super) fn wants_operand(word: &str) -> bool {
    matches!(
        word,
        "case"
            | "default"
            | "delete"
            | "do"
            | "else"
            | "extends"
            | "in"
            | "instanceof"
            | "new"
            | "return"
            | "throw"
            | "typeof"
            | "void"
    )
}

/// Whether an operand may follow the word: a keyword, or a name that is one in some places.
pub(super) fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "accessor"
            | "as"
            | "assert"
            | "async"
            | "break"
            | "catch"
            | "class"
            | "const"
            | "continue"
            | "debugger"
            | "defer"
            | "enum"
            | "export"
            | "finally"
            | "from"
            | "function"
            | "get"
            | "import"
            | "let"
            | "of"
            | "package"
            | "set"
            | "source"
            | "static"
            | "switch"
            | "try"
            | "using"
            | "var"
            | "yield"
    )
}

/// Whether the word may go on with what seems to have ended before it: `} else`, `a⏎in b`.
pub(super) fn goes_on(word: &str) -> bool {
    matches!(
        word,
        "as" | "assert"
            | "catch"
            | "else"
            | "extends"
            | "finally"
            | "from"
            | "in"
            | "instanceof"
            | "of"
            | "while"
            | "with"
    )
}
