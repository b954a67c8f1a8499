/* Distances along paths from centres, on a flat picture: steps of 1 to the side and of the root of 2 aslant.
 *
 * Dijkstra's algorithm with buckets as wide as the shortest step (Denardo and Fox, Shortest-route methods 1, 1979): no
 * pixel of the nearest bucket can come nearer by way of another one of it, so a bucket needs no order. A distance is the
 * least of the sums along the paths, each rounded step by step, as centrosome's heap finds it.
 */
#include <math.h>
#include <stdint.h>

#define BUCKETS 3 /* a step from one bucket ends in one of the next two */

/* Spread from `seeds`, whose distance is 0 and whose label is set; all other distances are -1. `buckets` holds
 * BUCKETS * height * width: a pixel stands in a bucket only once. */
void spread(const int8_t *mask, int32_t height, int32_t width, const int32_t *seeds, int32_t count, int32_t *buckets,
            int32_t *labels, double *distances)
{
    int64_t size = (int64_t)height * width, filled[BUCKETS] = {count, 0, 0};
    const double aslant = sqrt(2.0);
    for (int32_t i = 0; i < count; i++)
        buckets[i] = seeds[i];
    for (int64_t now = 0; filled[0] + filled[1] + filled[2] > 0; now++) {
        const int32_t *bucket = buckets + now % BUCKETS * size;
        for (int64_t i = 0; i < filled[now % BUCKETS]; i++) {
            int32_t pixel = bucket[i], y = pixel / width, x = pixel % width;
            if ((int64_t)distances[pixel] < now)
                continue; /* it came nearer, and was in an earlier bucket too */
            for (int32_t down = y > 0 ? -1 : 0; down <= (y < height - 1); down++)
                for (int32_t right = x > 0 ? -1 : 0; right <= (x < width - 1); right++) {
                    int32_t other = pixel + down * width + right;
                    double distance = distances[pixel] + (down && right ? aslant : 1.0), before = distances[other];
                    if (!mask[other] || (before >= 0 && before <= distance))
                        continue;
                    distances[other] = distance;
                    labels[other] = labels[pixel];
                    int64_t place = (int64_t)distance;
                    if (before < 0 || (int64_t)before != place)
                        buckets[place % BUCKETS * size + filled[place % BUCKETS]++] = other;
                }
        }
        filled[now % BUCKETS] = 0;
    }
}
