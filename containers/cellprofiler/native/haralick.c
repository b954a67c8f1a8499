/* Haralick's texture features (Haralick, Shanmugam and Dinstein, IEEE SMC 3(6), 1973) as mahotas defines them.
 *
 * A co-occurrence matrix of an object is sparse: only the cells that were counted are visited. Every sum is one of
 * integers, divided once, so that a value is as exact as a double can be.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LEVELS 256
#define CELLS (LEVELS * LEVELS)
#define COUNTERS 4
#define FEATURES 13
#define DIRECTIONS 4
/* Where the rounding of mahotas's own sums reaches a ten-thousand-millionth: its answer is then taken, not ours. */
#define FRAGILE_INFORMATION 1e-8
#define FRAGILE_ROUNDING 2e-15
#define FRAGILE_CORRELATION 1e-10

enum { OK = 0, FRAGILE = 1, EMPTY = 2 };

/* pairs[low * LEVELS + high]: how often two levels were neighbours; `seen` lists the cells that are not 0. */
typedef struct {
    int32_t *pairs, *seen;
    int32_t seen_count;
    int64_t total;
} Matrix;

/* Count the neighbours in one direction; a pixel of level 0 is background and has none. */
static void count_pairs(const uint8_t *grey, int32_t height, int32_t width, int32_t dy, int32_t dx, Matrix *matrix)
{
    int32_t start = dx < 0 ? -dx : 0, end = dx > 0 ? width - dx : width;
    for (int32_t y = 0; y + dy < height; y++) {
        const uint8_t *here = grey + (size_t)y * width, *there = grey + (size_t)(y + dy) * width;
        for (int32_t x = start; x < end; x++) {
            uint8_t a = here[x], b = there[x + dx];
            if (a == 0 || b == 0)
                continue;
            int32_t cell = a < b ? a * LEVELS + b : b * LEVELS + a;
            if (matrix->pairs[cell]++ == 0)
                matrix->seen[matrix->seen_count++] = cell;
            matrix->total += 2; /* symmetric: (a, b) and (b, a) */
        }
    }
}

/* Count all neighbours in one direction, whatever their levels. `counts` holds COUNTERS * CELLS zeros, and is left so:
 * pixels beside each other have the same level often, and a counter that has just grown is slow to grow again. */
static void count_all_pairs(const uint8_t *grey, int32_t height, int32_t width, int32_t dy, int32_t dx, int32_t *counts,
                            Matrix *matrix)
{
    int32_t start = dx < 0 ? -dx : 0, end = dx > 0 ? width - dx : width;
    for (int32_t y = 0; y + dy < height; y++) {
        const uint8_t *here = grey + (size_t)y * width, *there = grey + (size_t)(y + dy) * width;
        for (int32_t x = start; x < end; x++)
            counts[x % COUNTERS * CELLS + here[x] * LEVELS + there[x + dx]]++;
    }
    for (int32_t cell = 0; cell < CELLS; cell++) {
        int32_t n = 0, a = cell / LEVELS, b = cell % LEVELS, both = a < b ? cell : b * LEVELS + a;
        for (int counter = 0; counter < COUNTERS; counter++) {
            n += counts[counter * CELLS + cell];
            counts[counter * CELLS + cell] = 0;
        }
        if (n > 0 && matrix->pairs[both] == 0)
            matrix->seen[matrix->seen_count++] = both;
        matrix->pairs[both] += n;
        matrix->total += 2 * (int64_t)n;
    }
}

/* n * log2(n): the entropy of counts is log2(total) - sum(n * log2(n)) / total. */
static double n_log_n(int64_t n) { return n > 1 ? (double)n * log2((double)n) : 0.0; }

static double entropy(const int64_t *counts, int32_t length, int64_t total)
{
    double sum = 0.0;
    for (int32_t k = 0; k < length; k++)
        sum += n_log_n(counts[k]);
    return log2((double)total) - sum / (double)total;
}

/* Write the features of one matrix of `size` levels; leave the matrix empty. */
static int features_of(Matrix *matrix, int32_t size, double *f)
{
    int64_t margin[LEVELS] = {0}, plus[2 * LEVELS] = {0}, minus[LEVELS] = {0};
    int64_t total = matrix->total, squares = 0, products = 0;
    double cells_n_log_n = 0.0;
    for (int32_t i = 0; i < matrix->seen_count; i++) {
        int32_t cell = matrix->seen[i], low = cell / LEVELS, high = cell % LEVELS;
        int64_t n = matrix->pairs[cell], both = 2 * n;
        matrix->pairs[cell] = 0;
        margin[low] += n;
        margin[high] += n;
        plus[low + high] += both;
        minus[high - low] += both;
        products += both * low * high;
        squares += low == high ? both * both : 2 * n * n;
        cells_n_log_n += low == high ? n_log_n(both) : 2 * n_log_n(n);
    }
    matrix->seen_count = 0;
    matrix->total = 0;
    if (total == 0)
        return EMPTY;

    int64_t sum = 0, sum_squares = 0, plus_squares = 0, contrast = 0, minus_squares = 0;
    int32_t levels = 0;
    double t = (double)total, homogeneity = 0.0;
    for (int64_t k = 0; k < size; k++) {
        levels += margin[k] > 0;
        sum += k * margin[k];
        sum_squares += k * k * margin[k];
        contrast += k * k * minus[k];
        minus_squares += minus[k] * minus[k];
        homogeneity += (double)minus[k] / (double)(1 + k * k);
    }
    for (int64_t k = 0; k < 2 * size; k++)
        plus_squares += k * k * plus[k];
    double mean = (double)sum / t, variance = ((double)sum_squares - mean * (double)sum) / t;
    double covariance = ((double)products - mean * (double)sum) / t;
    double own = entropy(margin, size, total), whole = log2(t) - cells_n_log_n / t;
    double information = 2 * own - whole; /* mutual information: 0 if neighbours are independent */
    int flat = levels == 1;

    f[0] = (double)squares / (t * t);
    f[1] = (double)contrast / t;
    f[2] = flat ? 1.0 : covariance / variance;
    f[3] = flat ? 0.0 : variance;
    f[4] = homogeneity / t;
    f[5] = 2 * mean;
    f[6] = flat ? 0.0 : (double)plus_squares / t - f[5] * f[5];
    f[7] = entropy(plus, 2 * size, total);
    f[8] = whole;
    f[9] = ((double)minus_squares / (t * t) - 1.0 / size) / size;
    f[10] = entropy(minus, size, total);
    f[11] = flat ? 0.0 : -information / own;
    f[12] = flat ? 0.0 : sqrt(fmax(0.0, 1.0 - exp(-2.0 * information)));
    if (flat)
        return OK;
    int rounded = (double)sum_squares / t * FRAGILE_ROUNDING > FRAGILE_CORRELATION * variance;
    return rounded || information < FRAGILE_INFORMATION ? FRAGILE : OK;
}

static const int32_t DELTAS[DIRECTIONS][2] = {{0, 1}, {1, 1}, {1, 0}, {1, -1}};

/* Measure one grey picture in four directions; with `counts`, level 0 is a level like any other. */
static int measure(const uint8_t *grey, int32_t height, int32_t width, int32_t distance, int32_t *counts,
                   Matrix *matrix, double *features)
{
    int32_t size = 0;
    int state = OK;
    for (size_t i = 0; i < (size_t)height * width; i++)
        size = grey[i] >= size ? grey[i] + 1 : size;
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        int32_t dy = DELTAS[direction][0] * distance, dx = DELTAS[direction][1] * distance;
        if (counts != NULL)
            count_all_pairs(grey, height, width, dy, dx, counts, matrix);
        else
            count_pairs(grey, height, width, dy, dx, matrix);
        int found = features_of(matrix, size, features + direction * FEATURES);
        state = found > state ? found : state;
    }
    return state;
}

/* Measure every object of a label image. `boxes` holds (top, left, bottom, right) a label, empty for one that is not
 * there; `crop` holds the largest box, `pairs` LEVELS * LEVELS zeros, `seen` as many. Writes DIRECTIONS * FEATURES
 * doubles an object, and a state: 0 well, 1 take mahotas's own answer, 2 a direction without any pair. */
void haralick_objects(const uint8_t *grey, const int32_t *labels, int32_t width, const int32_t *boxes, int32_t count,
                      int32_t distance, uint8_t *crop, int32_t *pairs, int32_t *seen, double *features, int32_t *state)
{
    Matrix matrix = {pairs, seen, 0, 0};
    for (int32_t label = 1; label <= count; label++) {
        const int32_t *box = boxes + 4 * (label - 1);
        int32_t rows = box[2] - box[0], columns = box[3] - box[1];
        for (int32_t y = 0; y < rows; y++) {
            size_t from = (size_t)(y + box[0]) * width + box[1];
            for (int32_t x = 0; x < columns; x++)
                crop[(size_t)y * columns + x] = labels[from + x] == label ? grey[from + x] : 0;
        }
        double *own = features + (size_t)(label - 1) * DIRECTIONS * FEATURES;
        state[label - 1] = measure(crop, rows, columns, distance, NULL, &matrix, own);
    }
}

/* Measure a whole picture, in which level 0 is a level like any other; the state is that of an object. */
int32_t haralick_image(const uint8_t *grey, int32_t height, int32_t width, int32_t distance, int32_t *counts,
                       int32_t *pairs, int32_t *seen, double *features)
{
    Matrix matrix = {pairs, seen, 0, 0};
    return measure(grey, height, width, distance, counts, &matrix, features);
}
