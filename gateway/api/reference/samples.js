// A request as a command or program: curl, Python, JavaScript. The key is a variable, never the key itself.

const KEY = "POSTERN_KEY";

/** `request`: {method, url, headers: [[name, value]], body: a value or undefined, keyed: whether it takes a key}. */
export const SAMPLES = {
  curl(request) {
    const lines = [`curl${request.method === "GET" ? "" : ` -X ${request.method}`} ${shell(request.url)}`];
    if (request.keyed) lines.push(`-H "Authorization: Bearer $${KEY}"`);
    for (const [name, value] of request.headers) lines.push(`-H ${shell(`${name}: ${value}`)}`);
    if (request.body !== undefined) {
      lines.push("-H 'Content-Type: application/json'", `-d ${shell(JSON.stringify(request.body, null, 2))}`);
    }
    return lines.join(" \\\n  ");
  },
  Python(request) {
    const headers = request.headers.map(([name, value]) => [JSON.stringify(name), JSON.stringify(value)]);
    if (request.keyed) headers.unshift(['"Authorization"', `f"Bearer {os.environ['${KEY}']}"`]);
    const given = [JSON.stringify(request.url)];
    if (headers.length) given.push(`headers={${headers.map(([name, value]) => `${name}: ${value}`).join(", ")}}`);
    if (request.body !== undefined) given.push(`json=${python(request.body, 1)}`);
    given.push("timeout=60");
    return [
      ...(request.keyed ? ["import os", ""] : []),
      "import requests",
      "",
      `answer = requests.${request.method.toLowerCase()}(`,
      ...given.map((one) => `    ${one},`),
      ")",
      "answer.raise_for_status()",
      request.empty ? "print(answer.status_code)" : "print(answer.json())",
    ].join("\n");
  },
  JavaScript(request) {
    const headers = request.headers.map(([name, value]) => `${property(name)}: ${JSON.stringify(value)}`);
    if (request.keyed) headers.unshift(`Authorization: \`Bearer \${process.env.${KEY}}\``);
    if (request.body !== undefined) headers.push('"Content-Type": "application/json"');
    const options = [];
    if (request.method !== "GET") options.push(`method: "${request.method}"`);
    if (headers.length) options.push(`headers: {\n${headers.map((one) => `    ${one},`).join("\n")}\n  }`);
    if (request.body !== undefined) {
      options.push(`body: JSON.stringify(${JSON.stringify(request.body, null, 2).replaceAll("\n", "\n  ")})`);
    }
    const given = options.length ? `, {\n${options.map((one) => `  ${one},`).join("\n")}\n}` : "";
    return [
      `const answer = await fetch(${JSON.stringify(request.url)}${given});`,
      "if (!answer.ok) throw new Error(await answer.text());",
      request.empty ? "console.log(answer.status);" : "console.log(await answer.json());",
    ].join("\n");
  },
};

function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function property(name) {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function python(value, depth) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const [open, close, parts] = Array.isArray(value)
    ? ["[", "]", value.map((one) => python(one, depth + 1))]
    : ["{", "}", Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${python(one, depth + 1)}`)];
  if (!parts.length) return open + close;
  const pad = "    ".repeat(depth);
  return `${open}\n${parts.map((one) => `${pad}    ${one},`).join("\n")}\n${pad}${close}`;
}
