/* indice(attendues, vues) : l'indice de stabilité d'une population (PSI).
   Les deux arguments sont des listes de parts, de même longueur. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>

/* Une tranche vide compte pour cette part : le logarithme de zéro n'existe pas. */
#define PLANCHER 1e-4

static double part(PyObject *liste, Py_ssize_t rang) {
    PyObject *element = PySequence_GetItem(liste, rang);
    if (element == NULL) return -1;
    double valeur = PyFloat_AsDouble(element);
    Py_DECREF(element);
    return valeur < PLANCHER ? PLANCHER : valeur;
}

static PyObject *indice(PyObject *soi, PyObject *arguments) {
    PyObject *attendues, *vues;
    if (!PyArg_ParseTuple(arguments, "OO", &attendues, &vues)) return NULL;
    Py_ssize_t nombre = PySequence_Length(attendues);
    if (nombre < 0) return NULL;
    if (PySequence_Length(vues) != nombre) {
        PyErr_SetString(PyExc_ValueError, "deux listes de même longueur sont attendues");
        return NULL;
    }
    double somme = 0;
    for (Py_ssize_t rang = 0; rang < nombre; rang++) {
        double a = part(attendues, rang), v = part(vues, rang);
        if (PyErr_Occurred()) return NULL;
        somme += (v - a) * log(v / a);
    }
    return PyFloat_FromDouble(somme);
}

static PyMethodDef fonctions[] = {
    {"indice", indice, METH_VARARGS, "L'indice de stabilité d'une population."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "psi", NULL, -1, fonctions};

PyMODINIT_FUNC PyInit_psi(void) { return PyModule_Create(&module); }
