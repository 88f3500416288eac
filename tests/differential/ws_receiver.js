'use strict';

// Reads streams with the Receiver of ws, for the differential test.
//
//   node ws_receiver.js FOLDER      FOLDER: where node_modules/ws is
//
// A line of JSON in: a list of {server, limit, fragments, deflate: {bits, takeover} | null, segments: [base64]}.
// A line of JSON out, when all of it has been read: a list of {items: [[kind, base64]], outcome: [kind, code, reason]}.

const path = require('path');
const readline = require('readline');

const lib = path.join(process.argv[2], 'node_modules', 'ws', 'lib');
const Receiver = require(path.join(lib, 'receiver.js'));
const PerMessageDeflate = require(path.join(lib, 'permessage-deflate.js'));
const { kStatusCode } = require(path.join(lib, 'constants.js'));

function extensions(job) {
  if (!job.deflate) return {};
  const sender = job.server ? 'client' : 'server';
  const deflate = new PerMessageDeflate({ isServer: job.server, maxPayload: job.limit });
  deflate.params = {};
  if (job.deflate.bits < 15) deflate.params[`${sender}_max_window_bits`] = job.deflate.bits;
  if (!job.deflate.takeover) deflate.params[`${sender}_no_context_takeover`] = true;
  return { [PerMessageDeflate.extensionName]: deflate };
}

async function read(job) {
  const items = [];
  let outcome = null;
  const used = extensions(job);
  const receiver = new Receiver({
    isServer: job.server,
    maxPayload: job.limit,
    maxFragments: job.fragments,
    extensions: used
  });
  const note = (kind, data) => outcome || items.push([kind, data.toString('base64')]);
  receiver.on('message', (data, binary) => note(binary ? 'binary' : 'text', data));
  receiver.on('ping', (data) => note('ping', data));
  receiver.on('pong', (data) => note('pong', data));
  receiver.on('conclude', (code, reason) => {
    outcome = outcome || ['closed', code, reason.toString()];
  });
  receiver.on('error', (error) => {
    const code = error[kStatusCode];
    outcome = outcome || (code ? ['failed', code, ''] : ['raised', 0, error.name]);
  });
  for (const segment of job.segments) {
    if (outcome) break;
    await new Promise((resolve) => receiver.write(Buffer.from(segment, 'base64'), resolve));
    await new Promise((resolve) => process.nextTick(resolve)); // an error is told after the write is done
  }
  receiver.removeAllListeners('error');
  receiver.on('error', () => {});
  receiver.destroy();
  const deflate = used[PerMessageDeflate.extensionName];
  if (deflate) deflate.cleanup();
  return { items, outcome: outcome || ['open', 0, ''] };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answers = [];
    for (const job of JSON.parse(line)) answers.push(await read(job));
    process.stdout.write(JSON.stringify(answers) + '\n');
  }
}

main();
