# docker build -t cqlock .
# Other bases must have node, npm and the user `node` (1000) in the same places. The first has a compiler too.
ARG BUILD_IMAGE=node:24-bookworm
ARG NODE_IMAGE=node:24-bookworm-slim
FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# The one package that is compiled is for PKCS#11, and optional.
RUN npm ci --include=dev --ignore-scripts \
 && { npm rebuild pkcs11js || echo 'no compiler in BUILD_IMAGE: this image is without PKCS#11'; }
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npx tsc -p tsconfig.build.json --declaration false --sourceMap false \
 && npm prune --omit=dev --ignore-scripts
RUN find node_modules -type d -empty -delete

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="cqlock" org.opencontainers.image.licenses="Apache-2.0"
# npm is not needed to run, and what is not there cannot be used against it.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn* \
 && install -d -o node -g node -m 0700 /var/lib/cqlock /var/lib/cqlock-keys \
 && printf '#!/bin/sh\nexec node --max-semi-space-size=64 --min-semi-space-size=16 /app/dist/app/main.js "$@"\n' > /usr/local/bin/cqlock \
 && chmod 0755 /usr/local/bin/cqlock
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY cqlock.example.yaml LICENSE* ./
USER node
# Everything that is written is in the volumes: the root file system may be read-only.
ENV NODE_ENV=production \
    CQLOCK_DATA_DIR=/var/lib/cqlock \
    CQLOCK_ROOT_KEY_FILE=/var/lib/cqlock-keys/root.key \
    CQLOCK_HTTP_LISTEN=0.0.0.0:9180
VOLUME ["/var/lib/cqlock", "/var/lib/cqlock-keys"]
EXPOSE 9142 9180
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9180/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["cqlock"]
CMD ["start"]
