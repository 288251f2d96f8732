//! The streams and builtins that code finds, which are like those of any other process.

use domain::{Level, Logs};
use sandbox::SandboxChoice;

use crate::kit::Kit;

fn lines(logs: &Logs) -> Vec<(Level, &str)> {
    logs.lines().iter().map(|line| (line.level, line.text.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_streams_are_like_any_other() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let function = kit
        .python(
            "import faulthandler, io, logging, sys, warnings\n\
             def handler(e):\n\
             \x20   sys.stdout.reconfigure(line_buffering=True)\n\
             \x20   sys.stderr.reconfigure(line_buffering=True, errors='replace')\n\
             \x20   faulthandler.enable()\n\
             \x20   sys.stderr.buffer.write(b'bytes\\nof mine\\n')\n\
             \x20   sys.stderr.buffer.flush()\n\
             \x20   print('kept', file=sys.__stderr__)\n\
             \x20   print('out', file=sys.__stdout__)\n\
             \x20   sys.stdout.buffer.write(b'raw\\n')\n\
             \x20   sys.stdout.flush()\n\
             \x20   print('half ', end='', flush=True, file=sys.stderr)\n\
             \x20   print('line', file=sys.stderr)\n\
             \x20   print('long' * 5000, file=sys.stderr)\n\
             \x20   sys.stderr.writelines(['a\\n', 'b\\n'])\n\
             \x20   logger = logging.getLogger('mine')\n\
             \x20   logger.propagate = False\n\
             \x20   logger.handlers = [logging.StreamHandler()]\n\
             \x20   logger.warning('careful')\n\
             \x20   with sys.stderr as stream:\n\
             \x20       print('within', file=stream)\n\
             \x20   sys.stderr.close()\n\
             \x20   print('after', file=sys.stderr)\n\
             \x20   assert isinstance(sys.stderr, io.TextIOBase) and not sys.stderr.closed\n\
             \x20   return [sys.stderr.encoding, sys.stderr.errors, sys.stderr.fileno(), sys.stderr.isatty(), sys.stderr.name, sys.stderr.mode,\n\
             \x20           sys.stderr.writable(), sys.stderr.line_buffering, sys.stdout.encoding, sys.stdout.fileno(), sys.stdin.read()]\n",
        )
        .await;
    let long = "long".repeat(5000);
    for _ in 0..2 {
        let ran = kit.run(&function, "{}").await;
        assert_eq!(
            ran.result.as_deref(),
            Ok(r#"["utf-8","replace",2,false,"<stderr>","w",true,true,"utf-8",1,""]"#)
        );
        let (info, warn, error) = (Level::Info, Level::Warn, Level::Error);
        assert_eq!(
            lines(&ran.logs),
            [
                (error, "bytes"),
                (error, "of mine"),
                (error, "kept"),
                (info, "out"),
                (info, "raw"),
                (error, "half line"),
                (error, &long),
                (error, "a"),
                (error, "b"),
                (warn, "careful"),
                (error, "within"),
                (error, "after"),
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_builtins_are_all_there() {
    for spares in [0, 1] {
        let kit = Kit::with(SandboxChoice::Auto, |config| config.spares = spares).await;
        let function = kit
            .python("def handler(e):\n    print(copyright)\n    help(len)\n    license()\n    return [repr(exit), callable(credits), __name__]")
            .await;
        let ran = kit.run(&function, "{}").await;
        assert!(ran.result.is_ok_and(|result| result.starts_with(r#"["Use exit() or"#)));
        let text = ran.logs.text();
        assert!(
            text.starts_with("Copyright (c) 2001")
                && text.contains("len(obj, /)")
                && text.contains("license"),
            "{text}"
        );
        // Whoever leaves takes nothing along.
        let leaves =
            kit.python("import sys\ndef handler(e):\n    if e: exit(e)\n    return sys.stdin.read()").await;
        assert!(kit.error(&leaves, "3").await.starts_with("SystemExit: 3\n"));
        assert_eq!(kit.ok(&leaves, "0").await, "\"\"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_streams_are_like_any_other() {
    let kit = Kit::new(SandboxChoice::Auto).await;
    let function = kit
        .node(
            "const { pipeline } = require('stream/promises'); const { Readable } = require('stream'); exports.handler = async () => { \
             await new Promise((done) => process.stdout.write('a\\n', done)); await new Promise((done) => process.stderr.write('b\\n', 'utf8', done)); \
             process.stdout.write('6869', 'hex'); process.stdout.write(new Uint8Array([10])); \
             process.stdout.cork(); process.stdout.write('c'); process.stdout.write('d\\n'); process.stdout.uncork(); \
             const own = new console.Console(process.stdout, process.stderr); own.log('e'); own.error('f'); \
             await pipeline(Readable.from(['g\\n', 'h\\n']), process.stdout); process.stdout.write('i\\n'); \
             process.stderr.end('j\\n'); process.stderr.destroy(); console.error('k'); process.stderr.write('l\\n'); \
             console.assert(false, 'm');\nconsole.trace('n'); console.group('o'); console.dir({ p: { q: { r: 1 } } }, { depth: 0 }); console.groupEnd(); \
             process.stdout.cork(); process.stdout.write('held back\\n'); \
             return [process.stdout.isTTY, process.stdout.columns, process.stdout.fd, process.stderr.fd, process.stdout.writable, \
             require('fs').readFileSync(0, 'utf8')] }",
        )
        .await;
    for _ in 0..2 {
        let ran = kit.run(&function, "{}").await;
        assert_eq!(ran.result.as_deref(), Ok(r#"[false,null,1,2,true,""]"#));
        let (info, error) = (Level::Info, Level::Error);
        assert_eq!(
            lines(&ran.logs),
            [
                (info, "a"),
                (error, "b"),
                (info, "hi"),
                (info, "cd"),
                (info, "e"),
                (error, "f"),
                (info, "g"),
                (info, "h"),
                (info, "i"),
                (error, "j"),
                (error, "k"),
                (error, "l"),
                (error, "Assertion failed: m"),
                (error, "Trace: n"),
                (error, "    at exports.handler (main.js:2:9)"),
                (info, "o"),
                (info, "  { p: [Object] }"),
                (info, "held back"),
            ]
        );
    }
}
