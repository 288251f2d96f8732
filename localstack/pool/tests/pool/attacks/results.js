exports.handler = async () => {
  const deep = [];
  for (let at = deep, n = 0; n < 5000; n++) at.push(at = []);
  return deep;
};
