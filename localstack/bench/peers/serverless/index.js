exports.handler = async (event) => ({ statusCode: 200, body: JSON.stringify({ n: JSON.parse(event.body).n + 1 }) });
