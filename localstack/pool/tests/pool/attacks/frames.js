exports.handler = async () => {
  fs.writeSync(3, Buffer.from([19, 0, 0, 0, 17, ...new Array(17).fill(0), 91, 93, 255, 255, 255, 255, 17]));
  for (;;);
};
