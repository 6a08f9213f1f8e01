"""Room airflow and heat: finite volumes on a staggered rectilinear grid."""
