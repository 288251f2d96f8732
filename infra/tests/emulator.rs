//! What is left out where the contract tests run against the emulator of AWS (`make emulator-test`).

use std::fs;
use std::path::Path;

/// More is a decision of whoever changes it here, with the reason in the list.
const MOST_SKIPS: usize = 8;

#[test]
fn what_the_emulator_skips_is_there_and_gets_fewer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("infra is in the repository");
    let skips = fs::read_to_string(root.join("localstack/emulator-skips.txt")).expect("the list is there");
    let skips: Vec<_> = skips.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(skips.len() <= MOST_SKIPS, "{} tests are skipped", skips.len());
    for skip in skips {
        let (name, reason) = skip.split_once(": ").expect("`folder/module::test: reason`");
        assert!(reason.len() > 20, "{name}: why?");
        let (folder, path) = name.rsplit_once('/').expect("a package's folder and a test");
        let (module, test) = path.rsplit_once("::").unwrap_or(("main", path));
        let is_there = ["contract", "every_route"].iter().any(|suite| {
            let file = root.join(folder).join("tests").join(suite).join(format!("{module}.rs"));
            fs::read_to_string(file).is_ok_and(|source| source.contains(&format!("fn {test}(")))
        });
        assert!(is_there, "{name} is no test");
    }
}
