const text = { type: 'string' }
const schema = { type: ['object', 'boolean'] }
const parameter = {
  type: 'object',
  required: ['name', 'in', 'schema'],
  properties: {
    name: text,
    in: { enum: ['query', 'header', 'path', 'cookie'] },
    required: { type: 'boolean' },
    description: text,
    schema,
  },
  if: { properties: { in: { const: 'path' } } },
  // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
  then: { required: ['required'], properties: { required: { const: true } } },
  additionalProperties: false,
}
const content = {
  type: 'object',
  propertyNames: { pattern: '^[a-z]+/[\\w.+-]+$' },
  additionalProperties: {
    type: 'object',
    required: ['schema'],
    properties: { schema },
    additionalProperties: false,
  },
}
const header = {
  type: 'object',
  required: ['schema'],
  properties: { description: text, required: { type: 'boolean' }, schema },
  additionalProperties: false,
}
const response = {
  type: 'object',
  required: ['description'],
  properties: { description: text, headers: { type: 'object', additionalProperties: header }, content },
  additionalProperties: false,
}
const operation = {
  type: 'object',
  required: ['operationId', 'responses', 'tags', 'security', 'summary'],
  properties: {
    operationId: { type: 'string', pattern: '^[a-z][A-Za-z]+$' },
    summary: text,
    description: text,
    tags: { type: 'array', items: text, minItems: 1 },
    security: {
      type: 'array',
      items: { type: 'object', additionalProperties: { type: 'array', items: text } },
    },
    parameters: { type: 'array', items: parameter, uniqueItems: true },
    requestBody: {
      type: 'object',
      required: ['content'],
      properties: { description: text, required: { type: 'boolean' }, content },
      additionalProperties: false,
    },
    responses: {
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: '^([1-5](?:[0-9]{2}|XX)|default)$' },
      additionalProperties: response,
    },
  },
  additionalProperties: false,
}
const securityScheme = {
  type: 'object',
  required: ['type'],
  oneOf: [
    {
      required: ['scheme'],
      properties: { type: { const: 'http' }, scheme: text, bearerFormat: text, description: text },
      additionalProperties: false,
    },
    {
      required: ['name', 'in'],
      properties: {
        type: { const: 'apiKey' },
        name: text,
        in: { enum: ['query', 'header', 'cookie'] },
        description: text,
      },
      additionalProperties: false,
    },
  ],
}
const server = {
  type: 'object',
  required: ['url'],
  properties: {
    url: text,
    description: text,
    variables: {
      type: 'object',
      additionalProperties: { type: 'object', required: ['default'], properties: { default: text } },
    },
  },
  additionalProperties: false,
}

/**
 * The part of the published schema of OpenAPI 3.1 that our document uses; whatever else is refused, since nobody would
 * notice a field that is spelt wrong. https://spec.openapis.org/oas/3.1/schema/2022-10-07
 */
export const DOCUMENT = {
  type: 'object',
  required: ['openapi', 'info', 'paths'],
  properties: {
    openapi: { type: 'string', pattern: '^3\\.1\\.\\d+$' },
    info: {
      type: 'object',
      required: ['title', 'version'],
      properties: {
        title: text,
        version: text,
        summary: text,
        description: text,
        license: {
          type: 'object',
          required: ['name'],
          properties: { name: text, identifier: text },
          additionalProperties: false,
        },
      },
      additionalProperties: false,
    },
    servers: { type: 'array', items: server },
    tags: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: text, description: text },
        additionalProperties: false,
      },
    },
    paths: {
      type: 'object',
      propertyNames: { pattern: '^/' },
      additionalProperties: {
        type: 'object',
        propertyNames: { enum: ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] },
        additionalProperties: operation,
      },
    },
    components: {
      type: 'object',
      properties: {
        schemas: { type: 'object', propertyNames: { pattern: '^[\\w.-]+$' }, additionalProperties: schema },
        securitySchemes: { type: 'object', additionalProperties: securityScheme },
      },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
}
