#!/bin/sh
# A CA and a certificate for localhost in /tls, if there is none yet. The user of the proxy's image is 1000.
set -eu
cd "${1:-/tls}"
[ -f tls.crt ] && exit 0
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=cqlock-ca -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=cqlock -keyout tls.key -out tls.csr
printf 'subjectAltName=DNS:localhost,DNS:cqlock,IP:127.0.0.1\n' > extensions
openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile extensions -out tls.crt.new
# Nothing more is signed, and the proxy sees this directory.
rm ca.key tls.csr extensions
chmod 644 ca.pem tls.crt.new
chown -R 1000:1000 . || true
mv tls.crt.new tls.crt
