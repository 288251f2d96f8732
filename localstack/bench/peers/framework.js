exports.handler = (request, response) => response.json({ n: request.body.n + 1 });
