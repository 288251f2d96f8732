//! The files that user code runs from: in the zip of a Lambda function, and in the folder of the local pool's shims.

use domain::Language;
use domain::function::Module;

/// A shim: what both homes share, then the front of one of them.
macro_rules! shim {
    ($($file:literal),*) => { concat!($(include_str!(concat!("../shims/", $file))),*) };
}

const PYTHON_POOL: &str = shim!("core.py", "result.py", "streams.py", "left.py", "pool.py");
const PYTHON_LAMBDA: &str = shim!("core.py", "result.py", "streams.py", "left.py", "lambda.py");
const NODE_POOL: &str = shim!("core.js", "result.js", "output.js", "runs.js", "pool.js");
const NODE_LAMBDA: &str = shim!("core.js", "result.js", "output.js", "runs.js", "lambda.js");

/// Makes a top-level `function handler` of a script its export, unless the script exports one itself.
const EXPORT_TOP_LEVEL: &str = "\n;if (typeof handler === 'function' && module.exports && \
                                module.exports.handler === undefined) module.exports.handler = handler;\n";

/// What the `Handler` of a Lambda function is set to.
pub const LAMBDA_HANDLER_PYTHON: &str = "lambda_function.lambda_handler";
/// What the `Handler` of a Lambda function is set to.
pub const LAMBDA_HANDLER_NODE: &str = "lambda_function.handler";

/// What the `Handler` of a Lambda function in this language is set to.
pub fn lambda_handler(language: Language) -> &'static str {
    match language {
        Language::Python => LAMBDA_HANDLER_PYTHON,
        Language::Nodejs => LAMBDA_HANDLER_NODE,
    }
}

/// The files of a Lambda function's zip, each with its path in it: the user's source and what wraps it.
pub fn lambda_files(module: Module, source: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let shim = match module {
        Module::Python => ("lambda_function.py", PYTHON_LAMBDA),
        Module::CommonJs | Module::Esm => ("lambda_function.js", NODE_LAMBDA),
    };
    vec![(file_name(module), loadable(module, source)), (shim.0, shim.1.into())]
}

/// What the user's file is called, in a zip and in tracebacks.
pub fn file_name(module: Module) -> &'static str {
    match module {
        Module::Python => "main.py",
        Module::CommonJs => "main.js",
        Module::Esm => "main.mjs",
    }
}

/// The source as the shims load it. Its lines keep their numbers.
pub fn loadable(module: Module, source: &[u8]) -> Vec<u8> {
    let mut code = source.to_vec();
    if module == Module::CommonJs {
        code.extend_from_slice(EXPORT_TOP_LEVEL.as_bytes());
    }
    code
}

/// What the pool starts an interpreter with: the file's name and its text.
pub fn pool_shim(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Python => ("shim.py", PYTHON_POOL),
        Language::Nodejs => ("shim.cjs", NODE_POOL),
    }
}
