//! The function's own source, as a file.

use domain::function::Module;

use crate::kit::{BOTH, Kit};

#[tokio::test(flavor = "multi_thread")]
async fn python_finds_its_source() {
    const SOURCE: &str = "
# The first line says so: \u{e9}.
import inspect, os, pathlib, sys
TEXT = open(__file__, encoding='utf-8').read()
def helper():
    return 'the body'
def handler(event):
    here = pathlib.Path(__file__)
    import main
    return [
        TEXT == inspect.getsource(sys.modules['main']), 'the body' in inspect.getsource(helper), here.name, here.is_absolute(),
        [p.name for p in here.parent.iterdir() if p.suffix == '.py'], here.parent == pathlib.Path(inspect.getfile(main)).parent,
        main is sys.modules[__name__], os.listdir(os.environ['TMPDIR']), '\u{e9}' in TEXT, sys.modules[__name__].__spec__.origin == __file__,
    ]
";
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let function = kit.python(SOURCE).await;
        let expected = r#"[true,true,"main.py",true,["main.py"],true,true,[],true,true]"#;
        assert_eq!(kit.ok(&function, "{}").await, expected, "{sandbox:?}");
        assert_eq!(kit.ok(&function, "{}").await, expected, "{sandbox:?}");
        // It is still there when the temporary folder was cleared, and tracebacks show its name alone.
        let wiped = kit
            .python("import os, shutil\ndef handler(e):\n    for n in os.listdir(os.environ['TMPDIR']): shutil.rmtree(n)\n    return len(open(__file__).read()) // 0")
            .await;
        let error = kit.error(&wiped, "{}").await;
        assert!(error.contains("ZeroDivisionError") && error.contains("File \"main.py\", line 4"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_finds_its_source() {
    const SCRIPT: &str = "
const fs = require('fs'), path = require('path');
const { Worker, isMainThread, parentPort } = require('worker_threads');
if (!isMainThread) parentPort.postMessage('from the thread');
exports.handler = () => new Promise((done, fail) => {
  const text = fs.readFileSync(__filename, 'utf8');
  new Worker(__filename).on('error', fail).on('message', (said) => done([said, text.includes('from the thread'), path.basename(__filename),
    path.dirname(__filename) === __dirname, fs.readdirSync(require('os').tmpdir()), require.main === module, module.filename === __filename]));
});
";
    const MODULE: &str = "
import fs from 'fs';
import path from 'path';
import { fileURLToPath } from 'url';
import { Worker, isMainThread, parentPort } from 'worker_threads';
if (!isMainThread) parentPort.postMessage('from the thread');
export const handler = () => new Promise((done, fail) => {
  const file = fileURLToPath(import.meta.url);
  const text = fs.readFileSync(new URL(import.meta.url), 'utf8');
  new Worker(new URL(import.meta.url)).on('error', fail).on('message', (said) => done([said, text.includes('from the thread'), path.basename(file),
    import.meta.filename === undefined || import.meta.filename === file]));
});
";
    for sandbox in BOTH {
        let kit = Kit::new(sandbox).await;
        let script = kit.save(Module::CommonJs, SCRIPT).await.memory(512);
        let expected = r#"["from the thread",true,"main.js",true,[],false,true]"#;
        assert_eq!(kit.ok(&script, "{}").await, expected, "{sandbox:?}");
        let module = kit.save(Module::Esm, MODULE).await.memory(512);
        let expected = r#"["from the thread",true,"main.mjs",true]"#;
        assert_eq!(kit.ok(&module, "{}").await, expected, "{sandbox:?}");
        assert_eq!(kit.ok(&module, "{}").await, expected, "{sandbox:?}");
    }
}
