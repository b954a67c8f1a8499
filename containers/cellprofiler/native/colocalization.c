/* How two channels agree within objects: Pearson, Manders, overlap (Manders, Verbeek and Aten, Journal of Microscopy
 * 169(3), 1993) and rank weighted colocalization (Singan et al., BMC Bioinformatics 12:407, 2011).
 *
 * Pixels come grouped by object, in the order of the rows within each, so that each sum is added up in the order in
 * which numpy.bincount adds it. Products of two floats stay floats, as they do in CellProfiler.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { CORRELATION, FIRST, SECOND, FIRST_RANKED, SECOND_RANKED, FIRST_SQUARED, SECOND_SQUARED, PRODUCT, SUMS };

/* One channel under one set of objects: a value and a rank for each pixel, the rest for each object. */
typedef struct {
    const float *values;
    const int32_t *ranks;
    const double *mean, *deviation; /* deviation: the root of the summed squares */
    const float *threshold;
} Channel;

/* Describe one channel under each object. `fraction` of the brightest pixel is the threshold; `total` adds up what
 * reaches it. An object without pixels has no mean (NaN). */
void describe(const int64_t *starts, int64_t objects, const float *values, float fraction, double *mean,
              double *deviation, float *threshold, double *total)
{
    for (int64_t object = 0; object < objects; object++) {
        int64_t start = starts[object], end = starts[object + 1];
        double sum = 0.0, squares = 0.0, bright = 0.0;
        float brightest = start < end ? values[start] : 0.0f;
        for (int64_t i = start; i < end; i++) {
            sum += values[i];
            brightest = values[i] > brightest ? values[i] : brightest;
        }
        mean[object] = sum / (double)(end - start);
        threshold[object] = fraction * brightest;
        for (int64_t i = start; i < end; i++) {
            double off = values[i] - mean[object];
            squares += off * off;
            bright += values[i] >= threshold[object] ? values[i] : 0.0;
        }
        deviation[object] = sqrt(squares);
        total[object] = bright;
    }
}

static int64_t add_object(const Channel *a, const Channel *b, int64_t object, int64_t start, int64_t end,
                          double levels, double *sums)
{
    double mean_a = a->mean[object], mean_b = b->mean[object], scale = a->deviation[object] * b->deviation[object];
    float low_a = a->threshold[object], low_b = b->threshold[object];
    int64_t bright = 0;
    for (int64_t i = start; i < end; i++) {
        float u = a->values[i], v = b->values[i];
        sums[CORRELATION] += (u - mean_a) * (v - mean_b) / scale;
        if (!(u >= low_a && v >= low_b))
            continue;
        double weight = (levels - abs(a->ranks[i] - b->ranks[i])) / levels;
        float square_u = u * u, square_v = v * v, product = u * v;
        bright++;
        sums[FIRST] += u;
        sums[SECOND] += v;
        sums[FIRST_RANKED] += u * weight;
        sums[SECOND_RANKED] += v * weight;
        sums[FIRST_SQUARED] += square_u;
        sums[SECOND_SQUARED] += square_v;
        sums[PRODUCT] += product;
    }
    return bright;
}

/* Add up SUMS doubles an object for a pair of channels; return how many pixels are above both thresholds.
 * `starts` says where each object's pixels start, and where the last one's end. `sums` comes as zeros. */
int64_t colocalize(const int64_t *starts, int64_t objects, int32_t levels, const float *values_a,
                   const int32_t *ranks_a, const double *mean_a, const double *deviation_a, const float *threshold_a,
                   const float *values_b, const int32_t *ranks_b, const double *mean_b, const double *deviation_b,
                   const float *threshold_b, double *sums)
{
    Channel a = {values_a, ranks_a, mean_a, deviation_a, threshold_a};
    Channel b = {values_b, ranks_b, mean_b, deviation_b, threshold_b};
    int64_t bright = 0;
    for (int64_t object = 0; object < objects; object++)
        bright += add_object(&a, &b, object, starts[object], starts[object + 1], levels, sums + SUMS * object);
    return bright;
}
