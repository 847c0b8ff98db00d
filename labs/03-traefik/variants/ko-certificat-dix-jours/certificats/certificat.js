// One-shot job: a key and a certificate for the two names, made at each start.
'use strict';

const { generateKeyPairSync } = require('node:crypto');
const { writeFileSync } = require('node:fs');
const forge = require('node-forge');

const days = Number(process.env.JOURS ?? 365);
const pem = { type: 'pkcs1', format: 'pem' };
const pair = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: pem, privateKeyEncoding: pem });

const certificate = forge.pki.createCertificate();
certificate.publicKey = forge.pki.publicKeyFromPem(pair.publicKey);
certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(8))}`;
const now = Date.now();
certificate.validity.notBefore = new Date(now - 60_000);
certificate.validity.notAfter = new Date(now + days * 86_400_000);
const name = [{ name: 'commonName', value: 'tp-docker' }];
certificate.setSubject(name);
certificate.setIssuer(name);
const names = ['api.localhost', 'traefik.localhost'];
certificate.setExtensions([
  { name: 'basicConstraints', cA: false },
  { name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) },
]);
certificate.sign(forge.pki.privateKeyFromPem(pair.privateKey), forge.md.sha256.create());

writeFileSync('/certs/exercice-tp.key', pair.privateKey);
writeFileSync('/certs/exercice-tp.crt', forge.pki.certificateToPem(certificate));
