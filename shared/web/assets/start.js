window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  // In the browser's storage for this host. A function's pages can't read it: they are sandboxed.
  persistAuthorization: true,
  validatorUrl: null,
});
