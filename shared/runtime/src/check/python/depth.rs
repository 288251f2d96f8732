//! Bounds how deep the tree of a source can be, by its tokens alone. The lexer doesn't recurse.

use ruff_python_ast::token::TokenKind as Token;
use ruff_python_parser::Mode;
use ruff_python_parser::lexer::lex;

use crate::check::{CodeFault, MAX_NESTING, MAX_WEIGHT, TOO_DEEP, Weight, at};

/// As many levels as CPython takes (`MAXINDENT`).
const MAX_INDENT: usize = 100;

pub(super) fn check(source: &str) -> Result<(), CodeFault> {
    if is_shallow(source) {
        return Ok(());
    }
    // The lexer doesn't say where it is, so the first place where it is too much is looked for by halves.
    let (mut shallow, mut deep) = (0, source.len());
    while deep - shallow > 1 {
        let middle = shallow + (deep - shallow) / 2;
        let end = (middle..=deep).find(|&end| source.is_char_boundary(end)).unwrap_or(deep);
        if end == deep {
            break;
        }
        if is_shallow(&source[..end]) { shallow = end } else { deep = end }
    }
    Err(at(source, shallow, format!("{TOO_DEEP}. Or is a bracket before this one never closed?")))
}

fn is_shallow(source: &str) -> bool {
    let mut lexer = lex(source, Mode::Module);
    let mut open = vec![Weight::default()];
    let (mut total, mut indents) = (0u32, 0usize);
    loop {
        let token = lexer.next_token();
        let depth = open.len();
        let Some(innermost) = open.last_mut() else { return true };
        match token {
            Token::EndOfFile => return true,
            Token::Comment | Token::NonLogicalNewline => continue,
            Token::Indent => indents += 1,
            Token::Dedent => indents = indents.saturating_sub(1),
            // The end of a logical line ends everything on it.
            Token::Newline => {
                open.truncate(1);
                open[0] = Weight::default();
                total = 0;
            }
            Token::Lpar | Token::Lsqb | Token::Lbrace | Token::FStringStart | Token::TStringStart => {
                innermost.element += 1;
                total += 1;
                open.push(Weight::default());
            }
            Token::Rpar | Token::Rsqb | Token::Rbrace | Token::FStringEnd | Token::TStringEnd => {
                if depth > 1 {
                    total -= innermost.total();
                    open.pop();
                }
            }
            // A comma ends an element of what is in brackets. Outside of them it may stand in the head of a compound
            // statement, and the parser's recovery may find another such head behind it.
            Token::Comma if depth > 1 => total -= std::mem::take(&mut innermost.element),
            // The parameters of a lambda have commas, and its body goes on behind them.
            Token::Lambda | Token::Yield => {
                innermost.statement += 1;
                total += 1;
            }
            _ => {
                innermost.element += 1;
                total += 1;
            }
        }
        if open.len() > MAX_NESTING + 1 || total > MAX_WEIGHT || indents >= MAX_INDENT {
            return false;
        }
    }
}
