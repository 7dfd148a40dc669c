SwaggerUIBundle({
  // without the name and password that may stand in the address: fetch() refuses those
  url: location.origin + location.pathname.replace(/\/docs\/*$/, "/openapi.json"),
  dom_id: "#page", deepLinking: true, docExpansion: "list", validatorUrl: null,
  defaultModelsExpandDepth: 2, presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout",
});
