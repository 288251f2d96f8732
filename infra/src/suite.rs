//! The modules of a test suite: one per file, so that a new file of tests is compiled without being named anywhere.

use std::fs;
use std::io;
use std::path::Path;

/// The `main.rs` of a suite with a `mod` for every other file of its folder.
///
/// # Errors
/// Where the folder or its `main.rs` can't be read.
pub(crate) fn main(suite: &Path) -> io::Result<String> {
    let mut modules = Vec::new();
    for entry in fs::read_dir(suite)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        modules.extend(
            name.strip_suffix(".rs").filter(|name| *name != "main").map(|name| format!("mod {name};")),
        );
    }
    modules.sort();
    let text = fs::read_to_string(suite.join("main.rs"))?;
    let is_module = |line: &&str| line.starts_with("mod ") && line.ends_with(';');
    let (before, rest) = text.split_at(text.find("\nmod ").map_or(text.len(), |at| at + 1));
    let after: Vec<_> = rest.lines().skip_while(is_module).collect();
    Ok(format!("{before}{}\n{}\n", modules.join("\n"), after.join("\n")))
}
