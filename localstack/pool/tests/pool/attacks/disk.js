exports.handler = async () => {
  process.chdir(os.tmpdir());
  fs.mkdirSync('closed');
  for (let n = 0; ; n++) {
    try {
      fs.writeFileSync(`closed/${n}`, Buffer.alloc(1 << 20));
    } catch {
      fs.mkdirSync(`closed/d${n}`, 0);
    }
  }
};
