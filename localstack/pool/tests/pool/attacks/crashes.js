exports.handler = async () => {
  process.chdir(os.tmpdir());
  process.abort();
};
