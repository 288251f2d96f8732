
// ---- What a handler may return: what JSON carries as it is, or a web Response. -----------------------------------

const { getPrototypeOf, prototype: PLAIN } = Object;
const { isArray, prototype: ARRAY } = Array;
const DATE = Date.prototype, BUFFER = Buffer.prototype;
const { isFinite } = Number;
const { types } = util;
// Prototypes of objects that were looked at, and are no more than their own fields.
const simple = new WeakSet();

/** The result as JSON text. */
function encode(result) {
  if (result === undefined) return 'null';
  let text, whole = false;
  try {
    text = stringify(result);
  } catch (error) {
    complain(result);
    if (error instanceof RangeError) {
      throw new RunError("The handler's result can't be JSON: it is nested too deeply or too large. Return something flatter, or less.");
    }
    throw new RunError(`The handler's result can't be JSON: ${messageOf(error)}`);
  }
  try {
    whole = isCarried(result);
  } catch {
    // A getter or a proxy that answers once only.
  }
  if (!whole) complain(result);
  // Its own toJSON() returned nothing.
  if (text === undefined) return 'null';
  if (text.includes('\\ud')) text = text.replace(/(\\\\)|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/g, (all, pair) => pair ?? '\ufffd');
  // A unit of UTF-16 takes three bytes at most.
  const bytes = text.length * 3 > OUTPUT_LIMIT ? byteLength(text) : 0;
  if (bytes > OUTPUT_LIMIT) {
    throw new RunError(`The handler's result is too large: ${bytes.toLocaleString('en')} bytes of JSON, and ` +
      `the limit is ${OUTPUT_LIMIT.toLocaleString('en')}. Return less, or return it in parts.`);
  }
  return text;
}

/** Whether JSON.stringify carries all of it, at a glance: `false` is to be looked at closely. */
function isCarried(value) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      return isFinite(value);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  const prototype = getPrototypeOf(value);
  if (prototype === ARRAY) {
    for (let i = 0; i < value.length; i++) if (!isCarried(value[i])) return false;
    return true;
  }
  if (prototype === PLAIN || prototype === null) {
    for (const key in value) if (!isCarried(value[key])) return false;
    return true;
  }
  if (prototype === DATE) return isFinite(value.getTime());
  if (prototype === BUFFER) return true;
  if (!simple.has(prototype)) return false;
  let any = false;
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (!isCarried(item)) return false;
    any ||= item !== undefined;
  }
  return any;
}

/** Fails with the place of the first value that JSON can't carry, if there is one. */
function complain(result) {
  const inside = new Set();
  const keys = [];
  const refuse = (what, instead) => {
    const step = (key) => (typeof key === 'number' ? `[${key}]` : /^[\w$]+$/.test(key) ? `.${key}` : `[${inspect(key)}]`);
    throw new RunError(`The handler's result can't be JSON: it holds ${what} (at result${keys.map(step).join('')}). ${instead}`);
  };
  const look = (key, value) => {
    if (typeof value === 'object' || typeof value === 'function' || typeof value === 'bigint') {
      if (value !== null && typeof value.toJSON === 'function') {
        if (types.isDate(value) && Number.isNaN(value.getTime())) {
          refuse('an invalid Date', 'JSON cannot express it: return null or a string instead.');
        }
        value = value.toJSON(String(key));
      }
    }
    if (types.isNumberObject(value)) value = Number(value);
    switch (typeof value) {
      case 'number':
        if (!isFinite(value)) refuse(String(value), 'JSON cannot express it: return null or a string instead.');
        break;
      case 'bigint':
        return refuse('a BigInt', 'Return String(value) or Number(value) instead.');
      case 'function':
        return refuse('a function', 'Leave it out, or return what it returns.');
      case 'symbol':
        return refuse('a symbol', 'Leave it out, or return its description instead.');
      case 'object':
        if (value !== null && !types.isStringObject(value) && !types.isBooleanObject(value)) lookInto(value);
    }
  };
  const lookInto = (value) => {
    if (inside.has(value)) refuse('itself, a circular reference', 'Return a copy without the cycle.');
    const instead = isArray(value) || isPlain(value) ? null : insteadOf(value);
    if (instead !== null) refuse(article(value), instead);
    inside.add(value);
    const names = isArray(value) ? value.keys() : Object.keys(value);
    for (const key of names) {
      keys.push(key);
      look(key, value[key]);
      keys.pop();
    }
    inside.delete(value);
  };
  try {
    look('', result);
  } catch (error) {
    if (error instanceof RunError) throw error;
    // What else is wrong with it, whoever asked will say.
  }
}

/** Whether it is an object like `{}`, of whichever realm. */
function isPlain(value) {
  const prototype = getPrototypeOf(value);
  return prototype === null || prototype === PLAIN ||
    (getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'));
}

// What to return instead of an object whose content is not in its fields.
const BYTES = "Return Buffer.from(value).toString('base64') or Array.from(value) instead.";
const COLLECT = 'Collect it first: for await (const item of value) items.push(item).';
const INSTEAD = [
  [types.isMap, 'Return Object.fromEntries(map) instead.'],
  [types.isSet, 'Return [...set] instead.'],
  [types.isPromise, 'Await it before you return it.'],
  [(value) => types.isNativeError(value) || value instanceof Error,
    'Throw it to fail the run, or return its parts, as in { message: error.message }.'],
  [types.isRegExp, 'Return String(value) instead.'],
  [types.isAnyArrayBuffer, "Return Buffer.from(value).toString('base64') instead."],
  [types.isDataView, "Return Buffer.from(value.buffer).toString('base64') instead."],
  [types.isArrayBufferView, BYTES],
  [(value) => types.isWeakMap(value) || types.isWeakSet(value),
    'Its content cannot be listed: use a Map or a Set, and return that as an object or an array.'],
  [(value) => types.isSymbolObject(value) || types.isBigIntObject(value), 'Return String(value) instead.'],
];
const INSTEAD_BY_TAG = {
  Response: 'Return the Response itself as the result, or return its content: await response.json() or await response.text().',
  Request: 'Return its content: await request.json() or await request.text().',
  Blob: "Return await value.text(), or Buffer.from(await value.arrayBuffer()).toString('base64'), instead.",
  File: "Return await value.text(), or Buffer.from(await value.arrayBuffer()).toString('base64'), instead.",
  ReadableStream: 'Collect it first, or return new Response(stream).',
  Headers: 'Return Object.fromEntries(headers) instead.',
  FormData: 'Return Object.fromEntries(form) instead.',
  URLSearchParams: 'Return Object.fromEntries(parameters), or String(parameters), instead.',
  WeakRef: 'Return what it refers to: value.deref().',
};

/** What to return instead of this object. Null if JSON carries its fields, and they are all that it holds. */
function insteadOf(value) {
  for (const [is, instead] of INSTEAD) if (is(value)) return instead;
  if (Object.keys(value).some((key) => value[key] !== undefined)) {
    simple.add(getPrototypeOf(value));
    return null;
  }
  const tag = value[Symbol.toStringTag];
  if (typeof tag === 'string' && Object.hasOwn(INSTEAD_BY_TAG, tag)) return INSTEAD_BY_TAG[tag];
  if (typeof value[Symbol.asyncIterator] === 'function') return COLLECT;
  if (typeof value[Symbol.iterator] === 'function') return 'Return [...value] instead.';
  return 'It has no fields that JSON could carry. Give it a toJSON() method, or return a plain object.';
}

function isResponse(value) {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = getPrototypeOf(value);
  if (prototype === PLAIN || prototype === ARRAY) return false;
  return value[Symbol.toStringTag] === 'Response' && typeof value.arrayBuffer === 'function' && typeof value.headers?.forEach === 'function';
}

/** What a web Response is, in the shape that an HTTP trigger answers with. */
async function shaped(response) {
  const { status } = response;
  if (response.type === 'error' || !(status >= 200 && status <= 599)) {
    throw new RunError(`The handler returned a Response that cannot be sent: its status is ${status}.`);
  }
  if (response.bodyUsed) {
    throw new RunError("The handler returned a Response whose body was read already. Read a copy of it instead, response.clone(), " +
      'or return a new one, new Response(body, response).');
  }
  const headers = {};
  let cookies = [];
  response.headers.forEach((value, name) => {
    if (name === 'set-cookie') cookies.push(value);
    else headers[name] = value;
  });
  if (typeof response.headers.getSetCookie === 'function') cookies = response.headers.getSetCookie();
  // What fetch() answered was unpacked on the way.
  if (response.url) for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) delete headers[name];
  const body = Buffer.from(await response.arrayBuffer());
  const isBase64Encoded = !require('node:buffer').isUtf8(body);
  if (isBase64Encoded) headers['content-type'] ??= 'application/octet-stream';
  const result = { statusCode: status, headers, body: body.toString(isBase64Encoded ? 'base64' : 'utf8'), isBase64Encoded };
  if (cookies.length > 0) result.cookies = cookies;
  return result;
}
