//! Variables of a function's environment that act when an interpreter starts. A function that has any takes no spare.

use std::collections::BTreeMap;

use domain::Language;

/// Those of the variables that must be there from the start. `TZ` is none: the shims put it in force later.
pub fn at_start(language: Language, environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let acts = |name: &str| is_of_system(name) || is_of(language, name);
    environment.iter().filter(|(name, _)| acts(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// Whether the interpreter reads it as it starts.
fn is_of(language: Language, name: &str) -> bool {
    match language {
        Language::Python => is_of_python(name),
        // NODE_ENV is for programs: Node.js itself does not read it.
        Language::Nodejs => {
            (name.starts_with("NODE_") && name != "NODE_ENV")
                || name.starts_with("UV_")
                || name == "SSL_CERT_FILE"
        }
    }
}

/// Whether it is Python's own, all of which it is usually started without.
pub fn is_of_python(name: &str) -> bool {
    name.starts_with("PYTHON")
}

/// Whether the C library, the dynamic linker or Lambda read it as a program starts.
fn is_of_system(name: &str) -> bool {
    ["LC_", "LD_", "MALLOC_"].iter().any(|prefix| name.starts_with(prefix))
        || ["LANG", "LANGUAGE", "GLIBC_TUNABLES", "AWS_LAMBDA_EXEC_WRAPPER"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interpreter_reads_later_takes_a_spare() {
        let names = |language, names: &[&str]| {
            let environment = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
            at_start(language, &environment).into_keys().collect::<Vec<_>>()
        };
        let given = ["TZ", "API_KEY", "NODE_ENV", "NODE_OPTIONS", "PYTHONHASHSEED", "LANG", "LC_ALL"];
        assert_eq!(names(Language::Python, &given), ["LANG", "LC_ALL", "PYTHONHASHSEED"]);
        assert_eq!(names(Language::Nodejs, &given), ["LANG", "LC_ALL", "NODE_OPTIONS"]);
    }
}
