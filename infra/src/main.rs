//! Writes what is generated: `make generate`.

use std::fs;
use std::io;

fn main() -> io::Result<()> {
    for (path, text) in infra::files()? {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, text)?;
        println!("{}", path.display());
    }
    Ok(())
}
