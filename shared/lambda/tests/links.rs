//! Which binaries the front door of AWS is linked into.

use std::process::Command;

/// The packages that this one is built of.
fn built_of(package: &str) -> Vec<String> {
    let tree =
        ["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{lib}"];
    let output =
        Command::new(env!("CARGO")).args(tree).args(["--package", package]).output().expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn the_server_of_one_machine_links_nothing_of_aws() {
    let of_aws = |name: &String| name.starts_with("lambda") || name.starts_with("aws");
    let server: Vec<_> = built_of("function-runner").into_iter().filter(of_aws).collect();
    assert!(server.is_empty(), "{server:?}");
    assert!(built_of("fallback").iter().any(|name| name == "lambda_http"), "the search finds what it is for");
}
