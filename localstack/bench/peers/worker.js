export default {
  async fetch(request) {
    const event = await request.json();
    return Response.json({ n: event.n + 1 });
  },
};
